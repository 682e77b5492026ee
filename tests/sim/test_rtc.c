// The CMOS clock in whole runs: its seconds, its periodic flag, and all that can be wrong with it.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/sim/run.h"

#define TRUE_MILLIHERTZ (SIM_TSC_HZ * 1000ll)

// A machine that has only this clock; a second of it is many readings, so each takes 20 us.
static struct sim_config alone(void)
{
    struct sim_config config = sim_default();

    config.options = "clocks=rtc window=3s precision=0";
    config.latency[SIM_PORT] = (struct sim_latency){10000, 10000, 500};
    return config;
}

// Does the enclosure of `clock` hold this rate, and is it within `ppb` of it?
static void expect_enclosed(const char *clock, int64_t millihertz, int64_t ppb)
{
    struct record record = find("measurement", "clock", clock);
    int64_t low, high;

    assert_true(record_thousandths(&record, "low_hz", &low));
    assert_true(record_thousandths(&record, "high_hz", &high));
    assert_true(low <= millihertz && millihertz <= high);
    assert_in_range((high - low) * 1000 / (millihertz / 1000000), 0, 2 * ppb);
}

// --- Seconds

static void expect_alone(const struct sim_config *config)
{
    run(config);
    expect(find("clock", "clock", "rtc"), "status", "live");
    // Two ticks at least, each between two readings that are some 60 us apart.
    expect_enclosed("all", TRUE_MILLIHERTZ, 40000);
    assert_int_equal(record_count(result.com2.bytes, "step"), 0);
    expect_end("pass");
}

static void test_the_only_clock_left(void **state)
{
    (void)state;
    struct sim_config config = alone();

    expect_alone(&config);
    expect(find("clock", "clock", "rtc"), "independence", "host-wall-clock");
    // The window began anywhere in a second.
    config.rtc.clock.start_ticks += 30000;
    expect_alone(&config);
}

static void test_forms_of_the_time(void **state)
{
    (void)state;
    // Through a minute, an hour, noon and midnight.
    static const uint32_t starts[] = {59, 3599, 12 * 3600 - 2, 86398, 3600};
    struct sim_config config = alone();

    for (unsigned i = 0; i < 4 * ARRAY_SIZE(starts); i++) {
        config.rtc.binary = i & 1;
        config.rtc.hours_12 = i & 2;
        config.rtc.clock.start_ticks = starts[i / 4] * 32768ull + 12345;
        expect_alone(&config);
    }
}

static void test_update_in_progress(void **state)
{
    (void)state;
    struct sim_config config = alone();

    config.rtc.uip = SIM_UIP_NEVER;
    expect_alone(&config);
    config.rtc.uip = SIM_UIP_STUCK;
    expect_alone(&config);
    assert_non_null(strstr(result.com2.bytes, "its UIP bit is stuck"));
}

static void test_too_short_a_window(void **state)
{
    (void)state;
    struct sim_config config = sim_default();

    config.options = "window=1900ms precision=1ppm";
    run(&config);
    expect(find("clock", "clock", "rtc"), "status", "slow");
    expect_end("pass");
    config = alone();
    config.options = "clocks=rtc window=1s";
    run(&config);
    expect(find("clock", "clock", "rtc"), "status", "slow");
    expect_end("inconclusive");
}

// Beside other clocks it is read where it counts only.
static void test_beside_others(void **state)
{
    (void)state;
    struct sim_config config = sim_default();

    config.options = "window=3s precision=0";
    config.operations_max = 60000000;
    run(&config);
    expect_enclosed("rtc", TRUE_MILLIHERTZ, 10000);
    int64_t readings = number(find("measurement", "clock", "rtc"), "samples");
    assert_in_range(readings, 1000, number(find("measurement", "clock", "pit"), "samples") / 2);
    expect_end("pass");
}

// --- What can be wrong with it

static void expect_not_live(const struct sim_config *config, const char *status)
{
    run(config);
    expect(find("clock", "clock", "rtc"), "status", status);
    expect_end("inconclusive");
    // Bounded: 2^34 cycles are 6.6 s here, and a fifth more to end well.
    assert_in_range(result.time_ns, 0, 9000000000);
}

static void test_not_there(void **state)
{
    (void)state;
    struct sim_config config = alone();

    config.rtc.clock.fault = SIM_ABSENT;
    expect_not_live(&config, "absent");
    config.open_bus_zeros = true;
    expect_not_live(&config, "absent");
    config.rtc.clock.fault = SIM_DEAD_ZEROS;
    expect_not_live(&config, "absent");
    config.rtc.clock.fault = SIM_DEAD_ONES;
    expect_not_live(&config, "absent");
    config = alone();
    config.rtc.halted = true;
    expect_not_live(&config, "disabled");
}

static void test_stuck(void **state)
{
    (void)state;
    struct sim_config config = alone();

    config.rtc.clock.fault = SIM_STUCK;
    expect_not_live(&config, "stuck");
    config = sim_default();
    config.options = "window=2s precision=0 clocks=rtc,pmtimer";
    config.rtc.clock.fault = SIM_STUCK;
    run(&config);
    expect(find("clock", "clock", "rtc"), "status", "stuck");
    expect_end("pass");
}

// The host's clock is set: this clock alone steps.
static void test_set_by_the_host(void **state)
{
    (void)state;
    struct sim_config config = sim_default();

    config.options = "window=4s precision=0 clocks=rtc,hpet,pmtimer";
    config.operations_max = 60000000;
    config.rtc.clock.events[0] = (struct sim_event){2500000000u, SIM_STEP, 10 * 32768};
    config.rtc.clock.event_count = 1;
    run(&config);
    struct record step = find("step", NULL, NULL);
    expect(step, "clock", "rtc");
    assert_in_range(10000000000, number(step, "low_ns"), number(step, "high_ns"));
    expect_enclosed("all", TRUE_MILLIHERTZ, 1000);
}

// --- The periodic flag

static struct sim_config with_flag(void)
{
    struct sim_config config = sim_default();

    config.options = "clocks=rtc window=500ms precision=0";
    config.rtc.flag_works = true;
    return config;
}

static void test_periodic_flag(void **state)
{
    (void)state;
    struct sim_config config = with_flag();

    for (unsigned rate = 6; rate <= 8; rate++) {
        config.rtc.rate = rate;
        run(&config);
        assert_int_equal(number(find("clock", "clock", "rtc"), "nominal_hz"), 32768 >> (rate - 1));
        expect_enclosed("all", TRUE_MILLIHERTZ, 10000);
        expect_end("pass");
    }
}

// Longer gaps than a period may hide a tick: what is left is proven all the same.
static void test_periodic_flag_under_load(void **state)
{
    (void)state;
    struct sim_config config = with_flag();

    for (unsigned seed = 1; seed <= 20; seed++) {
        config.seed = seed;
        config.delays.preemptions_per_s = 40;
        config.delays.preemption_min_ns = 50000;
        config.delays.preemption_max_ns = 4000000;
        run(&config);
        expect(find("clock", "clock", "rtc"), "status", "live");
        assert_true(number(find("measurement", "clock", "rtc"), "segments") > 1);
        expect_enclosed("rtc", TRUE_MILLIHERTZ, 500000);
        assert_int_equal(record_count(result.com2.bytes, "step"), 0);
    }
}

// A flag that comes late, from a timer of the host, is not used, and neither is one of another
// rate.
static void test_periodic_flag_that_does_not_work(void **state)
{
    (void)state;
    struct sim_config config = alone();

    config.rtc.flag_works = true;
    config.rtc.flag_late_ticks = 60;
    expect_alone(&config);
    assert_int_equal(number(find("clock", "clock", "rtc"), "nominal_hz"), 1);
    config.rtc.flag_late_ticks = 0;
    config.rtc.rate = 3;
    expect_alone(&config);
    assert_int_equal(number(find("clock", "clock", "rtc"), "nominal_hz"), 1);
    config.rtc.rate = 0;
    expect_alone(&config);
}

// On hardware it is another crystal: widened, and named so.
static void test_on_hardware(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("bare-intel");

    config.options = "window=300ms precision=0 com1=json";
    sim_run(&config, &result);
    result.com2 = result.com1;
    expect(find("clock", "clock", "rtc"), "independence", "crystal-32k");
    expect(find("clock", "clock", "hpet"), "independence", "hardware");
    expect(find("measurement", "clock", "rtc"), "status", "ok");
    expect_end("pass");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_only_clock_left),
        cmocka_unit_test(test_forms_of_the_time),
        cmocka_unit_test(test_update_in_progress),
        cmocka_unit_test(test_too_short_a_window),
        cmocka_unit_test(test_beside_others),
        cmocka_unit_test(test_not_there),
        cmocka_unit_test(test_stuck),
        cmocka_unit_test(test_set_by_the_host),
        cmocka_unit_test(test_periodic_flag),
        cmocka_unit_test(test_periodic_flag_under_load),
        cmocka_unit_test(test_periodic_flag_that_does_not_work),
        cmocka_unit_test(test_on_hardware),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
