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
