// Steps: one that is large enough to be proven is found, put on the right clock, sized and located.
//
// Each seed is run twice: once as it is, to learn when its window is, and once with a step in it.
// SIM_SEED=n runs one of them and prints its report; SIM_RUNS=n sets how many are run.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>

#include "tests/sim/random_machine.h"
#include "tests/sim/records.h"

#define TSC     RANDOM_CLOCKS // as an index of what steps
#define SKEW_NS 1000          // skew='s default
#define BILLION 1000000000

#define ROUNDS_NEEDED 1000

static struct sim_result result;
static struct random_machine machine;

static struct sim_clock *clock_at(size_t index)
{
    switch (index) {
    case RANDOM_PIT:
        return &machine.config.pit.clock;
    case RANDOM_HPET:
        return &machine.config.hpet.clock;
    case RANDOM_PMTIMER:
        return &machine.config.pm_timer.clock;
    case RANDOM_LAPIC:
        return &machine.config.lapic.clock;
    default:
        return &machine.config.tsc;
    }
}

static uint64_t tick_ns(const struct sim_clock *clock)
{
    return clock->hz_denominator * 1000000000u / clock->hz_numerator + 1;
}

// A step of this many nanoseconds in the TSC or in this clock contradicts the readings of the
// clock: alpha_min + beta_min + q. The least brackets that are met on each side are a little longer
// than the least possible ones.
static uint64_t threshold_ns(size_t index)
{
    static const enum sim_access accesses[] = {SIM_PIT_LATCH, SIM_HPET, SIM_PM_TIMER, SIM_LAPIC};
    const struct sim_config *config = &machine.config;
    const struct sim_latency *latency = &config->latency[accesses[index]];
    uint64_t tsc_quantum_ns = config->tsc_quantum * 1000000000u / config->tsc.hz_numerator + 1;

    return latency->before_ns + latency->after_ns + latency->jitter_ns / 4 +
           tick_ns(clock_at(index)) + 2 * tsc_quantum_ns;
}

// The least step of `index` that can be put on it. The TSC's must be seen with two clocks. A
// clock's is known to about its threshold, and the other clocks tell to about theirs that the TSC
// did not step: what both leave open must not meet.
static uint64_t attributable_ns(size_t index)
{
    uint64_t least = UINT64_MAX, second = UINT64_MAX;

    for (size_t i = 0; i < RANDOM_CLOCKS; i++) {
        uint64_t threshold = threshold_ns(i);
        if (i == index)
            continue;
        if (threshold < least) {
            second = least;
            least = threshold;
        } else if (threshold < second) {
            second = threshold;
        }
    }
    return index == TSC ? second : threshold_ns(index) + least;
}

static const char *name_of(size_t index)
{
    return index == TSC ? "tsc" : random_clock_names[index];
}

// When the window begins, how long it is and how many times each clock is read in it, from a run
// without a step; what is wrong with that run, or NULL.
static const char *find_window(uint64_t *start_ns, uint64_t *length_ns, int64_t *rounds)
{
    struct record record;
    int64_t window_ns;

    sim_run(&machine.config, &result);
    const char *wrong = random_check(&machine, &result);
    if (wrong)
        return wrong;
    if (record_count(result.com2.bytes, "step"))
        return "a step is reported where there was none";
    if (!record_find(result.com2.bytes, "measurement", "clock", "all", &record) ||
        !record_integer(&record, "window_ns", &window_ns) ||
        !record_integer(&record, "samples", rounds))
        return "the combined measurement lacks a number";
    *rounds /= RANDOM_CLOCKS;
    *length_ns = (uint64_t)window_ns;
    *start_ns = result.last_bracket_ns - *length_ns;
    return NULL;
}

// The same with a window that holds enough rounds for a step in its middle half to be found: 64
// narrow readings are needed on each side, and a quarter of all is there at least.
static const char *find_long_window(uint64_t *start_ns, uint64_t *length_ns, int64_t *rounds)
{
    const char *wrong = find_window(start_ns, length_ns, rounds);

    if (wrong || *rounds >= ROUNDS_NEEDED)
        return wrong;
    random_set_window(
        &machine, (unsigned)(*length_ns * ROUNDS_NEEDED / (uint64_t)(*rounds + 1) / 900000 + 1));
    wrong = find_window(start_ns, length_ns, rounds);
    return wrong || *rounds >= ROUNDS_NEEDED ? wrong : "the window is too short for this test";
}

// Puts a step of about `ns` into the middle half of the window; gives its true size in nanoseconds,
// and when.
static int64_t inject(size_t index, int64_t ns, uint64_t start_ns, uint64_t length_ns,
                      uint64_t *random, uint64_t *at_ns)
{
    struct sim_clock *clock = clock_at(index);
    int64_t hz = (int64_t)((uint128)clock->hz_numerator * (uint64_t)(BILLION + clock->error_ppb) /
                           clock->hz_denominator / BILLION);
    int64_t ticks = (int64_t)((int128)ns * hz / BILLION) + (ns < 0 ? -1 : 1);

    *at_ns = sim_random_range(random, length_ns / 4, length_ns / 4 * 3);
    clock->event_count = 1;
    clock->events[0] = (struct sim_event){start_ns + *at_ns, SIM_STEP, ticks};
    return (int64_t)((int128)ticks * BILLION / hz);
}

// Is the record right about a step of `ns` at `at_ns` of the window?
static const char *check_step(const struct record *record, size_t index, int64_t ns, uint64_t at_ns)
{
    static char said[200];
    int64_t low, high, after, before;
    // The start of the window is known to about this. A TSC that goes back does so at the end of a
    // reading, in its own time, and up to a reading later in that of the simulation.
    int64_t slack_ns = 40000;
    for (size_t i = 0; i < RANDOM_CLOCKS; i++)
        slack_ns += (int64_t)threshold_ns(i);

    if (!record_is(record, "clock", name_of(index)) || !record_is(record, "kind", "step"))
        snprintf(said, sizeof(said), "%lld ns at %llu ns were not found to be a step of %s: %.*s",
                 (long long)ns, (unsigned long long)at_ns, name_of(index), (int)record->length,
                 record->line);
    else if (!record_integer(record, "low_ns", &low) || !record_integer(record, "high_ns", &high) ||
             ns < low - 1 || ns > high + 1)
        snprintf(said, sizeof(said), "the step is of %lld ns: %.*s", (long long)ns,
                 (int)record->length, record->line);
    else if (!record_integer(record, "after_ns", &after) ||
             !record_integer(record, "before_ns", &before) || (int64_t)at_ns < after - slack_ns ||
             (int64_t)at_ns > before + slack_ns)
        snprintf(said, sizeof(said), "the step is at %llu ns: %.*s", (unsigned long long)at_ns,
                 (int)record->length, record->line);
    else
        return NULL;
    return said;
}

static bool complain(const char *wrong, bool loud)
{
    if (loud)
        fprintf(stderr, "%s\n%s\n", result.com1.bytes, result.com2.bytes);
    if (!wrong)
        return true;
    fprintf(stderr, "%s (options %s)\n", wrong, machine.options);
    return false;
}

static bool check_large_step(uint64_t seed, bool loud)
{
    uint64_t random = ~seed, start_ns, length_ns, at_ns;
    struct record record;
    int64_t rounds;

    random_machine(&machine, seed, 30, RANDOM_SOUND);
    const char *wrong = find_long_window(&start_ns, &length_ns, &rounds);
    if (wrong)
        return complain(wrong, loud);
    size_t index = sim_random_range(&random, 0, TSC);
    uint64_t least_ns = attributable_ns(index) * 13 / 10;
    // Up to a thousand times as much, but not past the end of the window.
    uint64_t most_ns = least_ns << sim_random_range(&random, 0, 10);
    if (most_ns > length_ns / 10)
        most_ns = length_ns / 10;
    if (most_ns < least_ns)
        return complain("the window is too short for a step that can be proven", loud);
    int64_t ns = (int64_t)sim_random_range(&random, least_ns, most_ns);
    ns = inject(index, sim_random(&random) & 1 ? ns : -ns, start_ns, length_ns, &random, &at_ns);
    sim_run(&machine.config, &result);
    if (result.exit == SIM_HUNG || result.violation_count)
        return complain("the run with a step hung or broke a rule", loud);
    if (!record_find(result.com2.bytes, "step", NULL, NULL, &record)) {
        fprintf(stderr, "a step of %s by %lld ns: ", name_of(index), (long long)ns);
        return complain("nothing was found", loud);
    }
    wrong = check_step(&record, index, ns, at_ns);
    if (!wrong && record_count(result.com2.bytes, "step") != 1)
        wrong = "one step was found more than once";
    int64_t low = 0, high = 0;
    bool grave = record_integer(&record, "low_ns", &low) &&
                 record_integer(&record, "high_ns", &high) && (low >= SKEW_NS || high <= -SKEW_NS);
    // Rounded to whole ns, and a TSC that went back is wrong by any amount.
    bool open = low == SKEW_NS || high == -SKEW_NS || (index == TSC && ns < 0);
    if (!wrong && (!record_find(result.com2.bytes, "end", NULL, NULL, &record) ||
                   (!open && record_is(&record, "result", "fail") != grave)))
        wrong = grave ? "a proven step does not fail the run" : "a step below skew= fails the run";
    return complain(wrong, loud);
}

static void test_large_steps(void **state)
{
    (void)state;
    assert_int_equal(random_seeds(1500, check_large_step), 0);
}

// A step too small to be proven may go unnoticed; but it is never put on a clock that did not step.
static bool check_small_step(uint64_t seed, bool loud)
{
    uint64_t random = ~seed, start_ns, length_ns, at_ns;
    struct record record;
    int64_t rounds;

    random_machine(&machine, seed, 20, RANDOM_SOUND);
    const char *wrong = find_window(&start_ns, &length_ns, &rounds);
    if (wrong)
        return complain(wrong, loud);
    size_t index = sim_random_range(&random, 0, TSC);
    uint64_t most_ns = attributable_ns(index);
    int64_t ns = (int64_t)sim_random_range(&random, most_ns / 10, most_ns);
    inject(index, sim_random(&random) & 1 ? ns : -ns, start_ns, length_ns, &random, &at_ns);
    sim_run(&machine.config, &result);
    if (result.exit == SIM_HUNG || result.violation_count)
        return complain("the run with a step hung or broke a rule", loud);
    const char *lines = result.com2.bytes;
    while (record_next(&lines, &record)) {
        if (!record_is(&record, "record", "step"))
            continue;
        for (size_t i = 0; i <= TSC; i++)
            if (i != index && record_is(&record, "clock", name_of(i)))
                return complain(check_step(&record, index, ns, at_ns), loud);
    }
    return complain(NULL, loud);
}

static void test_small_steps(void **state)
{
    (void)state;
    assert_int_equal(random_seeds(700, check_small_step), 0);
}

// One clock runs fast or slow for a while, as one that catches up does. That is found, and what is
// proven in the end is true all the same.
static bool check_change_of_rate(uint64_t seed, bool loud)
{
    uint64_t random = ~seed, start_ns, length_ns;
    int64_t rounds;

    random_machine(&machine, seed, 30, RANDOM_SOUND);
    const char *wrong = find_long_window(&start_ns, &length_ns, &rounds);
    if (wrong)
        return complain(wrong, loud);
    size_t index = sim_random_range(&random, 0, RANDOM_CLOCKS - 1);
    struct sim_clock *clock = clock_at(index);
    // For a tenth of the window, by enough to be off by four times its threshold in the end.
    uint64_t for_ns = length_ns / 10;
    int64_t ppb = (int64_t)(threshold_ns(index) * 4 * BILLION / for_ns);
    uint64_t at_ns = start_ns + sim_random_range(&random, length_ns / 4, length_ns / 2);
    clock->event_count = 2;
    clock->events[0] = (struct sim_event){at_ns, SIM_RATE,
                                          sim_random(&random) & 1 ? BILLION + ppb : BILLION - ppb};
    clock->events[1] = (struct sim_event){at_ns + for_ns, SIM_RATE, BILLION};
    sim_run(&machine.config, &result);
    if (result.exit == SIM_HUNG || result.violation_count)
        wrong = "the run hung or broke a rule";
    else if (!record_count(result.com2.bytes, "step"))
        wrong = "nothing was found";
    else
        wrong = random_check_combined(&machine, &result);
    return complain(wrong, loud);
}

static void test_changes_of_rate(void **state)
{
    (void)state;
    assert_int_equal(random_seeds(700, check_change_of_rate), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_steps),
        cmocka_unit_test(test_small_steps),
        cmocka_unit_test(test_changes_of_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
