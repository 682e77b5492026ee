// The examination: before a clock is used, is it fit to be a reference?
//
// A few hundred readings back to back tell whether it counts at all, which way, and in what steps.
#include "kernel/measure.h"

#include "lib/text.h"

#define WARM_UP_READINGS 16
#define READINGS         128
#define BETWEEN_MAX      511 // 7, 63, 511: 65536 readings at most
// How long a clock that shows one value is watched before it counts as stuck: the slowest one ticks
// every 0.84 us, and emulators whose clocks stand for a millisecond exist. 50 million cycles are 10
// ms and more on any CPU that runs hypertick; the readings bound the wait where the TSC stands
// still.
#define PATIENCE_CYCLES   50000000u
#define PATIENCE_READINGS 65536
// How often the readings of a clock whose every tick must be seen are taken again.
#define UNDISTURBED_TRIES 8

struct examination {
    struct bracket readings[READINGS];
    unsigned up, down, still;
    uint64_t longest_cycles; // from one reading to the next, those left out included
};

// A count that ends may have ended during a stall.
static void begin_again(const struct clock_run *run)
{
    if (!run->info.wraps)
        run->clock->restart();
}

#define EMPTY_READINGS_MAX 16
// A reading that tells something; 0 where none does.
static void read_once(const struct clock_run *run, struct bracket *bracket)
{
    unsigned tries = 0;

    do
        run->clock->read(bracket);
    while (bracket->value == CLOCK_NO_READING && ++tries < EMPTY_READINGS_MAX);
    if (bracket->value == CLOCK_NO_READING)
        bracket->value = 0;
}

// Takes the readings, leaving out `between` after each.
static void take(struct examination *examination, const struct clock_run *run, unsigned between)
{
    uint64_t modulus = run->info.modulus;

    begin_again(run);
    examination->up = examination->down = examination->still = 0;
    examination->longest_cycles = 0;
    for (unsigned i = 0; i < WARM_UP_READINGS; i++)
        read_once(run, &examination->readings[0]);
    uint64_t before = examination->readings[0].before;
    for (unsigned i = 0; i < READINGS; i++) {
        struct bracket *reading = &examination->readings[i];
        for (unsigned left_out = 0; left_out <= between; left_out++) {
            read_once(run, reading);
            if (reading->after - before > examination->longest_cycles)
                examination->longest_cycles = reading->after - before;
            before = reading->before;
        }
        if (i == 0)
            continue;
        uint64_t delta = (reading->value + modulus - reading[-1].value) % modulus;
        if (delta == 0)
            examination->still++;
        else if (delta < modulus / 2)
            examination->up++;
        else
            examination->down++;
    }
}

// Could a tick be missing, of a clock whose every tick must be seen? If it were, some gap between
// two readings would be as long as a period, and the ticks that were seen would be less than twice
// as far apart: so no tick is missing if every gap is shorter than half the mean distance.
static bool is_disturbed(const struct examination *examination, const struct clock_run *run)
{
    const struct bracket *first = &examination->readings[0];
    const struct bracket *last = &examination->readings[READINGS - 1];
    uint64_t ticks = (last->value + run->info.modulus - first->value) % run->info.modulus;

    return run->info.gap_ticks &&
           examination->longest_cycles >= (last->after - first->before) / (2 * (ticks + 1));
}

static void take_undisturbed(struct examination *examination, const struct clock_run *run,
                             unsigned between)
{
    for (unsigned i = 0; i < UNDISTURBED_TRIES; i++) {
        take(examination, run, between);
        if (!is_disturbed(examination, run))
            return;
    }
}

// Watches a clock that showed one value only. True if it moves after all.
static bool moves(const struct clock_run *run)
{
    struct bracket first, next;

    begin_again(run);
    read_once(run, &first);
    for (unsigned i = 0; i < PATIENCE_READINGS; i++) {
        read_once(run, &next);
        if (next.value != first.value)
            return true;
        if (next.after - first.before > PATIENCE_CYCLES)
            break;
    }
    return false;
}

// The smallest granularity found with which all readings fit one line; the track holds the fit.
static uint64_t fit_step(struct clock_run *run, const struct examination *examination,
                         uint64_t tsc_step_cycles)
{
    uint64_t origin = examination->readings[0].before;
    struct track_config config = {run->info.modulus, 1, UINT64_MAX, tsc_step_cycles};

    // Each turn grows the granularity by the defect that was proven, so it never overshoots by more
    // than a tick; after some turns it doubles as well, so that it ends.
    for (unsigned turn = 0; turn < 64; turn++) {
        enum track_event event = TRACK_OK;
        track_reset(&run->track, &config);
        for (unsigned i = 0; i < READINGS && event != TRACK_BROKEN; i++) {
            const struct bracket *bracket = &examination->readings[i];
            struct reading reading = {bracket->before - origin, bracket->after - origin,
                                      bracket->value};
            event = track_add(&run->track, &reading, NULL);
        }
        if (event != TRACK_BROKEN)
            break;
        config.step += run->track.defect_millitick / 1000 + 1;
        if (turn >= 16)
            config.step *= 2;
    }
    // A coarse clock shows its worst rarely, the more so if the readings are no denser than its
    // steps.
    return config.step > 1 ? 2 * config.step : 1;
}

static void judge_still(struct clock_run *run, uint64_t value)
{
    // All ones or all zeros, as the driver turns them into a count that goes up from 0.
    bool extreme = value == 0 || value + 1 >= run->info.modulus;

    run->status = extreme ? CLOCK_DEAD : CLOCK_STUCK;
    text_print(run->reason, sizeof(run->reason), "it stands at 0x%llx", (unsigned long long)value);
}

// Two examinations of a clock that looked coarse. A stall of the device in the middle of one looks
// like coarseness too, but does not come twice.
static uint64_t settle(uint64_t first, uint64_t second)
{
    uint64_t small = first < second ? first : second;
    uint64_t large = first < second ? second : first;

    return small == 1 || large > 16 * small ? small : large;
}

void clock_examine(struct clock_run *run, uint64_t tsc_step_cycles)
{
    static struct examination examination;

    take(&examination, run, 0);
    if (examination.up + examination.down == 0) {
        if (!moves(run)) {
            judge_still(run, examination.readings[READINGS - 1].value);
            return;
        }
        take(&examination, run, 0);
    }
    if (examination.down > examination.up) {
        run->status = CLOCK_BACKWARDS;
        text_print(run->reason, sizeof(run->reason), "%u of %u readings were lower than the last",
                   examination.down, READINGS - 1);
        return;
    }
    // A clock with long steps needs a longer look, until its rate is bounded.
    for (unsigned between = 0; between <= BETWEEN_MAX; between = 8 * between + 7) {
        if (between || run->info.gap_ticks)
            take_undisturbed(&examination, run, between);
        run->step_ticks = fit_step(run, &examination, tsc_step_cycles);
        if (run->step_ticks > 1) {
            take_undisturbed(&examination, run, between);
            run->step_ticks = settle(run->step_ticks, fit_step(run, &examination, tsc_step_cycles));
        }
        // A clock whose every tick must be seen is given more time, since it ticks once a
        // millisecond.
        if (track_enclosure(&run->track, &run->probe_low, &run->probe_high) ||
            examination.readings[READINGS - 1].after - examination.readings[0].before >
                (run->info.gap_ticks ? PATIENCE_CYCLES : PATIENCE_CYCLES / 8))
            break;
    }
    if (is_disturbed(&examination, run)) {
        run->status = CLOCK_STUCK;
        text_print(run->reason, sizeof(run->reason), "its ticks cannot be counted one by one");
        return;
    }
    if (run->step_ticks > 1) {
        run->status = CLOCK_COARSE;
        text_print(run->reason, sizeof(run->reason), "it moves in steps of up to %llu ticks",
                   (unsigned long long)run->step_ticks);
    }
    if (!run->probe_low.cycles || !run->probe_high.cycles) {
        run->status = CLOCK_STUCK;
        text_print(run->reason, sizeof(run->reason), "it moved too little in %u readings",
                   READINGS * (BETWEEN_MAX + 1));
    }
}
