// A machine that stands still, is saved and loaded, or moves: what
// docs/monitor-stop-save-migrate.md has measured, with the truth known.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "tests/sim/run.h"

#define SECOND_NS 1000000000LL

static void step(struct sim_clock *clock, uint64_t at_ns, int64_t ns)
{
    uint64_t hz = clock->hz_numerator / clock->hz_denominator;

    clock->events[clock->event_count++] =
        (struct sim_event){at_ns, SIM_STEP, (int64_t)(ns * (__int128)hz / SECOND_NS)};
}

static bool inside(struct record record, int64_t ns)
{
    return number(record, "low_ns") <= ns && ns <= number(record, "high_ns");
}

static int64_t steps(void)
{
    return (int64_t)record_count(result.com2.bytes, "step");
}

static struct sim_config machine(const char *name, const char *options)
{
    struct sim_config config = sim_machine(name);

    config.options = options;
    config.operations_max = 80000000;
    // Readings that take this long leave a window of seconds short to simulate.
    for (size_t i = 0; i < SIM_ACCESSES; i++)
        if (i != SIM_TSC && i != SIM_PAUSE && i != SIM_CPUID)
            config.latency[i] = (struct sim_latency){4000, 4000, 500};
    return config;
}

// --- TSC and devices stand still together: only the time of day shows it

// To the guest that is the time of day going ahead.
static struct record stopped(int64_t ns, uint64_t at_ns)
{
    struct sim_config config = machine("qemu-tcg", "window=4s precision=0");

    step(&config.rtc.clock, at_ns, ns);
    run(&config);
    expect_end("pass");
    assert_int_equal(steps(), 1);
    struct record found = find("step", NULL, NULL);
    expect(found, "clock", "rtc");
    expect(found, "kind", "pause");
    assert_non_null(strstr(found.line, "\"fails\":false"));
    assert_true(inside(found, ns));
    expect(find("measurement", "clock", "all"), "status", "ok");
    return found;
}

static void test_stop(void **state)
{
    (void)state;
    static const int64_t lengths_ns[] = {100000000,  500000000,     700000000,
                                         1000000000, 5 * SECOND_NS, 3600 * SECOND_NS};

    for (size_t i = 0; i < ARRAY_SIZE(lengths_ns); i++) {
        // Ticks are at 0.4, 1.4, ... s. Its next tick tells exactly, but for the polling and the
        // slack of the rate.
        struct record found = stopped(lengths_ns[i], 2300000000);
        int64_t width = number(found, "high_ns") - number(found, "low_ns");
        assert_in_range(width, 0, 60000000 + lengths_ns[i] / 256);
        // It slept through the first tick that it could have seen, or has seen one only.
        stopped(lengths_ns[i], 390000000);
        stopped(lengths_ns[i], 410000000);
    }
}

// What passes between two readings of the host's clocks, in QEMU's TCG.
static void test_stop_with_a_small_step(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("qemu-tcg");

    config.options = "window=600ms precision=0";
    step(&config.tsc, 330000000, 700);
    run(&config);
    struct record found = find("step", NULL, NULL);
    expect(found, "clock", "tsc");
    assert_true(inside(found, 700));
    assert_non_null(strstr(found.line, "\"fails\":false"));
    expect_end("pass");
    // As large as skew= it fails the run.
    config.options = "window=600ms precision=0 skew=100ns";
    run(&config);
    assert_non_null(strstr(find("step", "clock", "tsc").line, "\"fails\":true"));
    expect_end("fail");
}

// Its size is known only when the time of day has ticked, some windows later: until then the drift
// must not be told across it.
static void test_no_drift_from_a_small_step(void **state)
{
    (void)state;
    struct sim_config config = machine("qemu-tcg", "window=250ms duration=4s checks=off");

    step(&config.tsc, 2000000000, 50000);
    step(&config.rtc.clock, 2000000000, SECOND_NS / 2);
    run(&config);
    find("step", "clock", "tsc");
    struct record monitor = find("monitor", NULL, NULL);
    assert_true(number(monitor, "drift_low_ppb_per_hour") <= 0 &&
                number(monitor, "drift_high_ppb_per_hour") >= 0);
    assert_non_null(strstr(result.com1.bytes, "  drift        none seen; proven: -"));
}

// --- The TSC runs on, and the devices do not

// What was taken back is gone for the guest: TSC and time of day jump, in QEMU's TCG after loadvm.
// Only the next tick of the time of day tells it from a TSC that stepped.
static void test_load(void **state)
{
    (void)state;
    static const int64_t lengths_ns[] = {200000000, 500000000, SECOND_NS, 5 * SECOND_NS};

    for (size_t i = 0; i < ARRAY_SIZE(lengths_ns); i++) {
        // The jump of the TSC takes from the window what is read behind it.
        bool is_long = lengths_ns[i] > SECOND_NS;
        struct sim_config config =
            machine("qemu-tcg", is_long ? "window=9s precision=0" : "window=4s precision=0");
        step(&config.tsc, 2300000000, lengths_ns[i]);
        config.rtc.clock.event_count = 0;
        run(&config);
        struct record found = find("step", NULL, NULL);
        expect(found, "clock", "tsc");
        expect(found, "kind", "step");
        assert_true(inside(found, lengths_ns[i]));
        expect_end("fail");

        step(&config.rtc.clock, 2300000000, lengths_ns[i]);
        run(&config);
        assert_int_equal(steps(), 1);
        found = find("step", NULL, NULL);
        expect(found, "kind", "pause");
        expect(found, "clock", "more than one clock");
        assert_true(inside(find("offset", "clock", "hpet"), -lengths_ns[i]));
        assert_true(inside(find("offset", "clock", "rtc"), 0));
        expect_end("pass");

        // To save and to load took half a second, in which the TSC stood still as well.
        config.rtc.clock.event_count = 0;
        step(&config.rtc.clock, 2300000000, lengths_ns[i] + SECOND_NS / 2);
        run(&config);
        found = find("step", NULL, NULL);
        expect(found, "kind", "pause");
        // As long as the first tick behind it, which may be that of a second that it slept through,
        // leaves open whether the time of day is ahead, that has a say about the TSC as well.
        if (record_is(&found, "clock", "tsc"))
            assert_true(inside(found, lengths_ns[i]));
        else
            assert_true(inside(find("offset", "clock", "hpet"), -lengths_ns[i]));
        found = find("step", "clock", "rtc");
        expect(found, "kind", "pause");
        assert_true(inside(found, SECOND_NS / 2));
        expect_end("pass");
    }
}

// Nothing but the CMOS clock tells the TSC from it: nobody knows.
static void test_two_clocks(void **state)
{
    (void)state;
    struct sim_config config = machine("qemu-tcg", "window=4s precision=0 clocks=rtc");

    step(&config.rtc.clock, 2300000000, SECOND_NS / 2);
    run(&config);
    assert_true(strstr(find("end", NULL, NULL).line, "\"result\":\"fail\"") == NULL);
}

// KVM: HPET and PM timer stand for as long, KVM's own clock not quite, the time of day does not.
static struct sim_config stopped_under_kvm(int64_t ns, int64_t pvclock_ns)
{
    struct sim_config config = machine("kvm", "window=4s precision=0");

    config.delays.stalls[0].at_ns = 2300000000;
    config.delays.stalls[0].length_ns = (uint64_t)ns;
    config.delays.stall_count = 1;
    step(&config.hpet.clock, 2300000001, -ns);
    step(&config.pm_timer.clock, 2300000001, -ns);
    step(&config.pvclock, 2300000001, pvclock_ns);
    step(&config.pit.clock, 2300000001, -ns / 3); // it starts anew
    return config;
}

static void test_stop_under_kvm(void **state)
{
    (void)state;
    struct sim_config config = stopped_under_kvm(SECOND_NS, -SECOND_NS + 90000);

    run(&config);
    assert_int_equal(steps(), 1);
    struct record found = find("step", "clock", "more than one clock");
    expect(found, "kind", "pause");
    assert_true(inside(find("offset", "clock", "hpet"), -SECOND_NS));
    assert_true(inside(find("offset", "clock", "pmtimer"), -SECOND_NS));
    assert_true(inside(find("offset", "clock", "pvclock"), -SECOND_NS + 90000));
    // It went round so often meanwhile that it has no say.
    struct record none;
    assert_false(record_find(result.com2.bytes, "offset", "clock", "pit", &none));
    expect_end("pass");
    // A busy host stopped that clock 5 % earlier.
    config = stopped_under_kvm(SECOND_NS, -SECOND_NS / 100 * 105);
    run(&config);
    expect(find("step", NULL, NULL), "kind", "pause");
    expect_end("pass");
}

// A migration takes 20 ms, maybe while the monitor writes its report.
static void test_a_short_stop_at_any_moment(void **state)
{
    (void)state;
    for (uint64_t at_ms = 250; at_ms < 330; at_ms += 4) {
        struct sim_config config = sim_machine("kvm");
        uint64_t at_ns = at_ms * 1000000;
        config.options = "window=20ms duration=400ms checks=off sections=none screen=off";
        config.delays.stalls[0].at_ns = at_ns;
        config.delays.stalls[0].length_ns = SECOND_NS / 50;
        config.delays.stall_count = 1;
        step(&config.hpet.clock, at_ns + 1, -SECOND_NS / 50);
        step(&config.pm_timer.clock, at_ns + 1, -SECOND_NS / 50);
        step(&config.pvclock, at_ns + 1, -SECOND_NS / 50 + 90000);
        run(&config);
        assert_int_equal(number(find("monitor", NULL, NULL), "pauses"), 1);
        assert_int_equal(number(find("monitor", NULL, NULL), "steps"), 0);
        expect_end("pass");
    }
}

// A guest so slow that a round of readings takes 20 ms: three stops, one soon after the other, are
// told one by one.
static void test_three_stops_of_a_slow_guest(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("kvm");
    static const struct sim_latency slow = {6000000, 0, 100000};

    config.options = "window=250ms duration=9s checks=off sections=none screen=off";
    config.time_max_ns = 60ull * SECOND_NS;
    config.latency[SIM_PAUSE] = slow;
    for (unsigned i = 0; i < 3; i++) {
        uint64_t at_ns = (3 + 2ull * i) * SECOND_NS;
        config.delays.stalls[i].at_ns = at_ns;
        config.delays.stalls[i].length_ns = SECOND_NS / 2;
        step(&config.hpet.clock, at_ns + 1, -SECOND_NS / 2);
        step(&config.pm_timer.clock, at_ns + 1, -SECOND_NS / 2);
        step(&config.pvclock, at_ns + 1, -SECOND_NS / 2 + 90000);
    }
    config.delays.stall_count = 3;
    run(&config);
    assert_int_equal(steps(), 3);
    const char *lines = result.com2.bytes;
    struct record found;
    while (record_next(&lines, &found))
        if (record_is(&found, "record", "step"))
            expect(found, "kind", "pause");
    assert_int_equal(number(find("monitor", NULL, NULL), "gaps"), 3);
    assert_int_equal(number(find("monitor", NULL, NULL), "pauses"), 3);
    assert_non_null(strstr(result.com1.bytes, " ms\r\n  pmtimer ")); // the HPET's defect
    expect_end("pass");

    // As much lies between any two readings: the pause was the longest of late.
    config.latency[SIM_TSC] = (struct sim_latency){1500000, 0, 0};
    config.latency[SIM_PAUSE] = sim_latency_kvm[SIM_PAUSE];
    run(&config);
    assert_true(number(find("monitor", NULL, NULL), "pauses") >= 2);
    assert_int_equal(number(find("monitor", NULL, NULL), "steps"), 0);
    config.latency[SIM_TSC] = sim_latency_kvm[SIM_TSC];
    config.latency[SIM_PAUSE] = slow;

    // That rounds are 20 ms apart does not explain that a clock stood still for 300 ms.
    config.delays.stall_count = 0;
    config.hpet.clock.event_count = config.pm_timer.clock.event_count = 0;
    config.pvclock.event_count = 0;
    step(&config.hpet.clock, 3ull * SECOND_NS, -3 * SECOND_NS / 10);
    run(&config);
    assert_int_equal(steps(), 1);
    expect(find("step", "clock", "hpet"), "kind", "step");
    expect_end("fail");
}

// A clock that went forwards, or back by more than the pause, is not explained by it.
static void test_no_pause(void **state)
{
    (void)state;
    static const int64_t pvclock_ns[] = {90000000, -2 * SECOND_NS, -SECOND_NS / 100 * 107};

    for (size_t i = 0; i < ARRAY_SIZE(pvclock_ns); i++) {
        struct sim_config config = stopped_under_kvm(SECOND_NS, pvclock_ns[i]);
        run(&config);
        struct record found = find("step", "clock", "more than one clock");
        expect(found, "kind", "step");
        assert_non_null(strstr(found.line, "\"fails\":true"));
        expect_end("fail");
    }
}

// --- Longer than a clock takes to go round: it is not guessed

// Nothing runs the guest for five seconds, and all clocks go on: no step, nothing odd. The PM timer
// went round once, the PIT ninety times.
static void test_stall(void **state)
{
    (void)state;
    struct sim_config config = machine("qemu-tcg", "window=8s precision=0");

    config.delays.stalls[0].at_ns = 2300000000;
    config.delays.stalls[0].length_ns = 5 * SECOND_NS;
    config.delays.stall_count = 1;
    run(&config);
    assert_int_equal(steps(), 0);
    expect_end("pass");
    static const char *const names[] = {"pit", "hpet", "pmtimer", "all"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        expect(find("measurement", "clock", names[i]), "status", "ok");
    // The HPET's 64 bits bridge it; the others begin again.
    assert_int_equal(number(find("measurement", "clock", "hpet"), "segments"), 1);
    assert_true(number(find("measurement", "clock", "pmtimer"), "segments") > 1);
}

// The same, and the TSC alone went on: the HPET tells, and nobody believes what the PM timer shows.
static void test_stall_of_all_but_the_tsc(void **state)
{
    (void)state;
    struct sim_config config = machine("qemu-tcg", "window=8s precision=0 clocks=hpet,pmtimer,pit");

    config.delays.stalls[0].at_ns = 2300000000;
    config.delays.stalls[0].length_ns = 5 * SECOND_NS;
    config.delays.stall_count = 1;
    step(&config.pit.clock, 2300000001, -5 * SECOND_NS);
    step(&config.hpet.clock, 2300000001, -5 * SECOND_NS);
    step(&config.pm_timer.clock, 2300000001, -5 * SECOND_NS);
    run(&config);
    assert_int_equal(steps(), 1);
    struct record found = find("step", NULL, NULL);
    expect(found, "clock", "tsc or hpet");
    assert_true(inside(found, 5 * SECOND_NS) || inside(found, -5 * SECOND_NS));
    expect_end("fail");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_stop_with_a_small_step),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_two_clocks),
        cmocka_unit_test(test_no_pause),
        cmocka_unit_test(test_stop_under_kvm),
        cmocka_unit_test(test_no_drift_from_a_small_step),
        cmocka_unit_test(test_a_short_stop_at_any_moment),
        cmocka_unit_test(test_three_stops_of_a_slow_guest),
        cmocka_unit_test(test_stall),
        cmocka_unit_test(test_stall_of_all_but_the_tsc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
