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

static bool check_any_machine(uint64_t seed, bool loud)
{
    struct random_machine machine;

    random_machine(&machine, seed, 20, RANDOM_ANY);
    return check_random(&machine, false, loud);
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
