// Properties that hold on every machine: thousands of them, each made from a seed.
//
// SIM_SEED=n runs one of them and prints its report; SIM_RUNS=n sets how many are run.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>

#include "tests/sim/random_machine.h"
#include "tests/sim/records.h"

static struct sim_result result;

static bool complain(const char *wrong, const struct random_machine *machine, bool loud)
{
    if (loud)
        fprintf(stderr, "%s\n%s\n", result.com1.bytes, result.com2.bytes);
    if (!wrong)
        return true;
    fprintf(stderr, "%s (options %s)\n", wrong, machine->options);
    return false;
}

// Nothing is called odd but clocks that are at fault, and none on a sound machine.
static const char *check_oddities(bool sound)
{
    const char *lines = result.com2.bytes;
    struct record record;

    while (record_next(&lines, &record))
        if (record_is(&record, "record", "oddity") &&
            (sound || (!record_is(&record, "id", "dead-clock") &&
                       !record_is(&record, "id", "coarse-clock"))))
            return "something is called odd that is not";
    return NULL;
}

// The enclosures contain the truth, faulty clocks are found, no rule is broken, nothing hangs, and
// no step is invented.
static const char *check(const struct random_machine *machine)
{
    sim_run(&machine->config, &result);
    const char *wrong = random_check(machine, &result);
    if (!wrong && record_count(result.com2.bytes, "step"))
        wrong = "a step is reported where there was none";
    return wrong;
}

static bool check_random(const struct random_machine *machine, bool sound, bool loud)
{
    const char *wrong = check(machine);

    if (!wrong)
        wrong = check_oddities(sound);
    return complain(wrong, machine, loud);
}

// The cost table: its numbers are in order, and no access is cheaper than it is.
static const char *check_costs(const struct random_machine *machine)
{
    static const struct {
        const char *access;
        enum sim_access kind;
    } known[] = {
        {"clock-pit", SIM_PIT_LATCH}, {"clock-hpet", SIM_HPET}, {"clock-pmtimer", SIM_PM_TIMER},
        {"clock-lapic", SIM_LAPIC},   {"cpuid-0x1", SIM_CPUID}, {"rdmsr-0x10", SIM_MSR},
    };
    const struct sim_config *config = &machine->config;
    const char *lines = result.com2.bytes;
    struct record record, tsc;
    size_t rows = 0;

    while (record_next(&lines, &record)) {
        int64_t samples, min, median, p99;
        if (!record_is(&record, "record", "bench"))
            continue;
        rows++;
        if (!record_integer(&record, "samples", &samples) || samples < 1 || samples > 200 ||
            !record_integer(&record, "min_cycles", &min) ||
            !record_integer(&record, "median_cycles", &median) ||
            !record_integer(&record, "p99_cycles", &p99) || min > median || median > p99)
            return "a row of the cost table is out of order";
        for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
            const struct sim_latency *latency = &config->latency[known[i].kind];
            // The TSC is up to 500 ppm slower than its nominal rate, and moves in steps.
            int64_t least = (int64_t)((latency->before_ns + latency->after_ns) *
                                      (config->tsc.hz_numerator / 1000) / 1000000);
            least -= least / 1000 + (int64_t)config->tsc_quantum + 2;
            if (record_is(&record, "access", known[i].access) && min < least)
                return "an access is said to be cheaper than it is";
        }
    }
    // Without the section there is neither; with it, where the TSC advances, both.
    bool ran = record_find(result.com2.bytes, "tsc", NULL, NULL, &tsc);
    return rows < 6 && ran ? "the cost table is short"
           : !ran && rows  ? "costs without a TSC"
                           : NULL;
}

static bool check_any_machine(uint64_t seed, bool loud)
{
    static const char *const sections[] = {"vcpus", "costs", "costs,vcpus", "all"};
    struct random_machine machine;

    random_machine(&machine, seed, 20, RANDOM_ANY);
    // Now and then with the sections that come after the window.
    snprintf(machine.options, sizeof(machine.options), "window=%ums precision=0 sections=%s",
             (unsigned)(machine.window_ns / 1000000), sections[seed % 4 ? 0 : seed / 4 % 4]);
    bool good = check_random(&machine, false, loud);
    return complain(check_costs(&machine), &machine, false) && good;
}

static void test_any_machine(void **state)
{
    (void)state;
    assert_int_equal(random_seeds(3000, check_any_machine), 0);
}

static bool check_sharp_machine(uint64_t seed, bool loud)
{
    struct random_machine machine;

    random_machine(&machine, seed, 1000, RANDOM_SHARP);
    return check_random(&machine, true, loud);
}

static void test_sharp_machines(void **state)
{
    (void)state;
    assert_int_equal(random_seeds(500, check_sharp_machine), 0);
}

static bool check_field_machine(uint64_t seed, bool loud)
{
    struct random_machine machine;

    random_field_machine(&machine, seed, 20);
    return complain(check(&machine), &machine, loud);
}

static void test_machines_of_the_field(void **state)
{
    (void)state;
    assert_int_equal(random_seeds(sim_machine_count * 22, check_field_machine), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_machine),
        cmocka_unit_test(test_sharp_machines),
        cmocka_unit_test(test_machines_of_the_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
