// Clocks that tick once in a second or so. Nothing but their ticks bounds the rate, and a tick only
// as narrowly as the readings around it are close: so they are read all the time when a tick is due
// and, for the sake of the other clocks, seldom otherwise.
#include "kernel/measure.h"

#include "lib/text.h"
#include "lib/wide.h"

// Before and after the moment when a tick is due, in parts of a tick.
#define MARGIN_PARTS 512
// Readings in a tick when none is due: enough to notice if it comes out of turn.
#define SELDOM_PARTS 64
// Readings in a row: when a tick is due, so that it is met although all that happens between two
// rounds may take a millisecond; while the first one is waited for, with and without other clocks.
#define NEAR_READINGS  4096
#define FIRST_READINGS 16
#define ALONE_READINGS 1024
// The time of day is ahead of the TSC only if it is so by this part of a tick: the rate is known to
// 1 % at first. Later to this part of it, host's steering included.
#define JUMP_PARTS 32
#define RATE_PARTS 1024

void slow_expect(struct clock_run *run, uint64_t tsc_millihertz)
{
    if (!run->info.slow || !tsc_millihertz)
        return;
    uint64_t cycles = wide_mul_div(tsc_millihertz, run->info.nominal.denominator,
                                   run->info.nominal.numerator * 1000);
    run->tick_cycles = cycles;
    // In place of an examination: within 1 %, since another clock's gave the TSC rate.
    run->probe_low = (struct slope){100, cycles * 101};
    run->probe_high = (struct slope){100, cycles * 99};
}

static bool is_near(const struct clock_run *run, uint64_t cycles)
{
    uint64_t tick = run->tick_cycles;

    if (!tick || !run->ticks_seen)
        return true;
    // The next tick is due a whole number of ticks after the stretch in which the last one was.
    uint64_t stretch = run->tick.until - run->tick.after + 2 * (tick / MARGIN_PARTS);
    return (cycles - run->tick.after + tick / MARGIN_PARTS) % tick < stretch;
}

bool slow_due(const struct clock_run *run, uint64_t cycles)
{
    return !run->info.slow || cycles - run->last_cycles > run->tick_cycles / SELDOM_PARTS ||
           is_near(run, cycles);
}

bool slow_again(const struct clock_run *run, uint64_t cycles, bool alone, unsigned readings)
{
    unsigned limit = run->ticks_seen ? NEAR_READINGS : alone ? ALONE_READINGS : FIRST_READINGS;

    return run->info.slow && readings < limit && is_near(run, cycles);
}

bool slow_is_wall(const struct clock_run *run)
{
    return run->info.slow && run->tick_cycles && text_equal(run->info.independence, CLOCK_WALL);
}

static uint64_t ticks_since(const struct clock_run *run, uint64_t value,
                            const struct reading *reading)
{
    return (reading->raw + run->info.modulus - value) % run->info.modulus;
}

// As slow_ahead, if nothing was hidden.
static void ahead(const struct clock_run *run, const struct slow_tick *from,
                  const struct reading *reading, int64_t *low, int64_t *high)
{
    uint64_t passed = ticks_since(run, from->value, reading) * run->tick_cycles; // below 2^51
    uint64_t slack = passed / RATE_PARTS;

    *low = (int64_t)(passed - slack) - (int64_t)(reading->after - from->after);
    *high = (int64_t)(passed + slack) - (int64_t)(run->last_before - from->until);
}

// What the TSC does not count is not seen in a reading either: a tick that the guest slept through
// looks as if it came when it woke up. So both ends are later than they look, if anything.
void slow_ahead(const struct clock_run *run, const struct slow_tick *from,
                const struct reading *reading, int64_t *low, int64_t *high)
{
    ahead(run, from, reading, low, high);
    *high += (int64_t)from->hidden;
    if (ticks_since(run, run->last_value, reading) != 1)
        *high += (int64_t)run->tick_cycles;
}

enum slow_jump slow_jump(struct clock_run *run, const struct reading *reading)
{
    if (!slow_is_wall(run) || !run->ticks_seen || reading->raw == run->last_value)
        return SLOW_SOUND;
    if (run->jumped) {
        // The tick after the jump came by itself, and tells.
        run->jumped = false;
        slow_ahead(run, &run->from, reading, &run->ahead_low, &run->ahead_high);
        return SLOW_SIZED;
    }
    run->from = run->tick;
    slow_ahead(run, &run->from, reading, &run->ahead_low, &run->ahead_high);
    if (run->ahead_low <= (int64_t)(run->tick_cycles / JUMP_PARTS) ||
        ticks_since(run, run->from.value, reading) >= run->info.modulus / 2)
        return SLOW_SOUND;
    run->ahead_high += (int64_t)run->tick_cycles;
    run->jumped = true;
    run->jumped_until = reading->after;
    return SLOW_JUMPED;
}

void slow_note(struct clock_run *run, const struct reading *reading)
{
    if (!run->info.slow)
        return;
    if (run->first_cycles != UINT64_MAX && reading->raw != run->last_value) {
        int64_t low = 0, high = -1;
        // One that came when it was due hides no more than what its distance leaves open.
        if (run->ticks_seen++ && ticks_since(run, run->last_value, reading) == 1)
            ahead(run, &run->tick, reading, &low, &high);
        bool due = high >= 0 && low <= (int64_t)(run->tick_cycles / JUMP_PARTS);
        run->tick_before = run->tick;
        run->tick = (struct slow_tick){run->last_before, reading->after, reading->raw,
                                       due ? (uint64_t)high : run->tick_cycles};
    }
    run->last_value = reading->raw;
}

void slow_conclude(struct clock_run *run, uint64_t tsc_millihertz, uint64_t cycles)
{
    if (!run->info.slow || !run->sampled || run->ticks_seen)
        return;
    // Where nothing tells the TSC's rate, the window was as long as it could be.
    slow_expect(run, tsc_millihertz);
    if (cycles <= run->tick_cycles + run->tick_cycles / 4)
        return;
    run->status = CLOCK_STUCK;
    text_print(run->reason, sizeof(run->reason), "it did not tick once in the whole window");
}
