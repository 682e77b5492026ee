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
static const char *check_oddities(enum random_kind kind)
{
    const char *lines = result.com2.bytes;
    struct record record;

    while (record_next(&lines, &record))
        if (record_is(&record, "record", "oddity") &&
            (kind != RANDOM_ANY || (!record_is(&record, "id", "dead-clock") &&
                                    !record_is(&record, "id", "coarse-clock"))))
            return "something is called odd that is not";
    return NULL;
}

// The enclosures contain the truth, faulty clocks are found, no rule is broken, nothing hangs, and
// no step is invented.
static bool check(uint64_t seed, unsigned window_ms, enum random_kind kind, bool loud)
{
    struct random_machine machine;

    random_machine(&machine, seed, window_ms, kind);
    sim_run(&machine.config, &result);
    const char *wrong = random_check(&machine, &result);
    if (!wrong && record_count(result.com2.bytes, "step"))
        wrong = "a step is reported where there was none";
    if (!wrong)
        wrong = check_oddities(kind);
    return complain(wrong, &machine, loud);
}

static bool check_any_machine(uint64_t seed, bool loud)
{
    return check(seed, 20, RANDOM_ANY, loud);
}

static void test_any_machine(void **state)
{
    (void)state;
    assert_int_equal(random_seeds(3000, check_any_machine), 0);
}

static bool check_sharp_machine(uint64_t seed, bool loud)
{
    return check(seed, 1000, RANDOM_SHARP, loud);
}

static void test_sharp_machines(void **state)
{
    (void)state;
    assert_int_equal(random_seeds(500, check_sharp_machine), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_machine),
        cmocka_unit_test(test_sharp_machines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
