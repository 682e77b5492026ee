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
    uint64_t stretch = run->tick_until - run->tick_after + 2 * (tick / MARGIN_PARTS);
    return (cycles - run->tick_after + tick / MARGIN_PARTS) % tick < stretch;
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

// How far the time of day is ahead of the TSC, if this reading is `ticks` ticks after `from`, or up
// to a tick more: what the TSC does not count is not seen in a reading either, so a tick that the
// guest slept through looks as if it came when it woke up.
static void ahead(struct clock_run *run, uint64_t ticks, const struct reading *reading)
{
    uint64_t passed = ticks * run->tick_cycles; // below 2^17 * 2^34
    uint64_t slack = passed / RATE_PARTS;

    run->ahead_low = (int64_t)(passed - slack) - (int64_t)(reading->after - run->from_after);
    run->ahead_high = (int64_t)(passed + slack) - (int64_t)(run->last_cycles - run->from_until);
}

static bool is_jump(struct clock_run *run, uint64_t ticks, const struct reading *reading)
{
    run->from_value = run->last_value;
    run->from_after = run->tick_after;
    run->from_until = run->tick_until;
    run->from_hidden = run->tick_sound ? run->tick_hidden : run->tick_cycles;
    ahead(run, ticks, reading);
    return ticks < run->info.modulus / 2 &&
           run->ahead_low > (int64_t)(run->tick_cycles / JUMP_PARTS);
}

enum slow_jump slow_jump(struct clock_run *run, const struct reading *reading)
{
    uint64_t modulus = run->info.modulus;

    if (!text_equal(run->info.independence, CLOCK_WALL) || !run->info.slow || !run->ticks_seen ||
        !run->tick_cycles || reading->raw == run->last_value)
        return SLOW_SOUND;
    uint64_t ticks = (reading->raw + modulus - run->last_value) % modulus;
    if (run->jumped) {
        // The tick after the jump came by itself, and tells.
        run->jumped = run->tick_sound = false;
        ahead(run, (reading->raw + modulus - run->from_value) % modulus, reading);
        run->ahead_high += (int64_t)(run->from_hidden + (ticks == 1 ? 0 : run->tick_cycles));
        return SLOW_SIZED;
    }
    if (is_jump(run, ticks, reading)) {
        run->ahead_high += (int64_t)(run->from_hidden + run->tick_cycles);
        run->jumped = true;
        run->jumped_until = reading->after;
        return SLOW_JUMPED;
    }
    run->tick_sound = ticks == 1 && run->ahead_high >= 0;
    run->tick_hidden = (uint64_t)run->ahead_high;
    return SLOW_SOUND;
}

void slow_note(struct clock_run *run, const struct reading *reading)
{
    if (!run->info.slow)
        return;
    if (run->first_cycles != UINT64_MAX && reading->raw != run->last_value) {
        run->ticks_seen++;
        run->tick_after = run->last_cycles;
        run->tick_until = reading->after;
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
