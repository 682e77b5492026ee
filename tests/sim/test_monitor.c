// The monitor on the simulated machine: windows without end, and all that may happen in them.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>

#include "tests/sim/run.h"

#define MS     1000000ull
#define SECOND 1000000000ull

static struct sim_config machine(const char *options)
{
    struct sim_config config = sim_machine("kvm-invtsc");

    config.options = options;
    return config;
}

// The n-th record of this name and clock, or fails.
static struct record nth(const char *name, const char *clock, size_t n)
{
    const char *lines = result.com2.bytes;
    struct record record;

    while (record_next(&lines, &record))
        if (record_is(&record, "record", name) && (!clock || record_is(&record, "clock", clock)) &&
            n-- == 0)
            return record;
    fail_msg("too few %s records in\n%s\n%s", name, result.com1.bytes, result.com2.bytes);
    return record;
}

static int64_t millihertz(struct record record, const char *key)
{
    int64_t value = 0;

    assert_true(record_thousandths(&record, key, &value));
    return value;
}

// The records of the windows: numbered from 0, one behind the other in time.
static size_t check_windows(void)
{
    const char *lines = result.com2.bytes;
    struct record record;
    int64_t count = 0, at = 0;

    while (record_next(&lines, &record)) {
        if (!record_is(&record, "record", "measurement") || record_is_null(&record, "window"))
            continue;
        assert_true(record_is(&record, "clock", "all"));
        assert_int_equal(number(record, "window"), count);
        // Each is timed by its own rate, rounded down.
        assert_in_range(number(record, "at_ns") - at + 5, 0, 10);
        at = number(record, "at_ns") + number(record, "window_ns");
        count++;
    }
    assert_int_equal(number(find("monitor", NULL, NULL), "windows"), count);
    assert_in_range(number(find("monitor", NULL, NULL), "duration_ns") - at + 5, 0, 10);
    return (size_t)count;
}

static void test_the_whole_run_is_enclosed(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct sim_config config = machine("window=20ms duration=400ms");
        config.seed = seed;
        run(&config);
        assert_int_equal(check_windows(), 20);
        struct record monitor = find("monitor", NULL, NULL);
        int64_t truth = 1000ll * SIM_TSC_HZ, widest = 0;
        for (size_t i = 0; i < 21; i++) { // the last one is the whole run's
            struct record window = nth("measurement", "all", i);
            int64_t low = millihertz(window, "low_hz"), high = millihertz(window, "high_hz");
            assert_in_range(truth, low, high);
            if (i < 20 && high - low > widest)
                widest = high - low;
        }
        int64_t low = millihertz(monitor, "low_hz"), high = millihertz(monitor, "high_hz");
        assert_in_range(truth, low, high);
        assert_true(high - low < widest / 10);
        assert_int_equal(number(monitor, "stretches"), 1);
        assert_int_equal(number(monitor, "steps"), 0);
        assert_int_equal(number(monitor, "gaps"), 0);
        assert_true(record_is_true(&monitor, "monotonic"));
        assert_int_equal(record_count(result.com2.bytes, "step"), 0);
        expect_end("pass");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_whole_run_is_enclosed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
