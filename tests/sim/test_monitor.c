// The monitor on the simulated machine: windows without end, and all that may happen in them.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/sim/random_machine.h"
#include "tests/sim/run.h"

#define MS     1000000ull
#define SECOND 1000000000ull

static struct sim_config machine(const char *options)
{
    struct sim_config config = sim_machine("kvm-invtsc");

    config.tsc.error_ppb = 0;
    config.screen = false; // scrolling takes most of a short window
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
        int64_t truth = 1000LL * SIM_TSC_HZ, widest = 0;
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

// Where the beginning of the first window is in true time, from a run in which nothing happens.
static uint64_t begin_ns(const struct sim_config *config)
{
    struct sim_config quiet = *config;
    struct record first;

    quiet.tsc.event_count = quiet.hpet.clock.event_count = quiet.delays.stall_count = 0;
    run(&quiet);
    first = nth("measurement", "all", 0);
    int64_t whole_ns = number(find("monitor", NULL, NULL), "duration_ns");
    assert_int_equal(number(first, "window"), 0);
    return result.last_bracket_ns - (uint64_t)whole_ns;
}

static size_t count_windows(void)
{
    return (size_t)number(find("monitor", NULL, NULL), "windows");
}

// A step in the middle of a window is told in that window, once, and before the next one's line.
static void test_a_step_is_told_in_its_window(void **state)
{
    static const struct {
        bool tsc;
        int64_t ns;
    } steps[] = {{true, 100000}, {true, -100000}, {false, 300000}, {false, -300000}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        struct sim_config config = machine("window=20ms duration=200ms checks=off sections=none");
        uint64_t began = begin_ns(&config);
        struct sim_clock *clock = steps[i].tsc ? &config.tsc : &config.hpet.clock;
        int64_t hz = (int64_t)(clock->hz_numerator / clock->hz_denominator);
        clock->event_count = 1;
        clock->events[0] =
            (struct sim_event){began + 128 * MS, SIM_STEP, steps[i].ns * (hz / 10000) / 100000};
        run(&config);
        assert_int_equal(record_count(result.com2.bytes, "step"), 1);
        struct record step = find("step", NULL, NULL);
        expect(step, "clock", steps[i].tsc ? "tsc" : "hpet");
        expect(step, "kind", "step");
        assert_int_equal(number(step, "window"), 6);
        assert_in_range(number(step, "at_ns"), 120 * MS, 121 * MS);
        assert_in_range(128 * (int64_t)MS, number(step, "after_ns") - 100000,
                        number(step, "before_ns") + 100000);
        int64_t low = number(step, "low_ns"), high = number(step, "high_ns");
        assert_true(low <= steps[i].ns + 1000 && steps[i].ns - 1000 <= high);
        assert_true((low > 0) == (steps[i].ns > 0) && (high > 0) == (steps[i].ns > 0));
        // Live: it stands before the record of its window.
        assert_true(step.line < nth("measurement", "all", 6).line);
        assert_true(step.line > nth("measurement", "all", 5).line);
        check_windows();
        struct record monitor = find("monitor", NULL, NULL);
        assert_int_equal(number(monitor, "steps"), 1);
        expect(monitor, "largest_step_clock", steps[i].tsc ? "tsc" : "hpet");
        assert_int_equal(number(monitor, "largest_step_ns"), steps[i].ns > 0 ? low : high);
        assert_true(record_is_true(&monitor, "monotonic") == (steps[i].ns > 0));
        // The rate is what it was before; all windows prove it together.
        assert_int_equal(number(monitor, "stretches"), 1);
        int64_t truth = 1000LL * SIM_TSC_HZ;
        assert_in_range(truth, millihertz(monitor, "low_hz"), millihertz(monitor, "high_hz"));
        for (size_t n = 0; n < count_windows(); n++)
            assert_in_range(truth, millihertz(nth("measurement", "all", n), "low_hz"),
                            millihertz(nth("measurement", "all", n), "high_hz"));
        // Claims are read again where the TSC may have stepped.
        assert_int_equal(record_count(result.com2.bytes, "reread"), steps[i].tsc);
        expect_end("fail");
    }
}

// Many steps: each is told, none twice, whatever the number.
static void test_many_steps(void **state)
{
    struct sim_config config = machine("window=10ms duration=800ms checks=off sections=none");

    (void)state;
    uint64_t began = begin_ns(&config);
    config.tsc.event_count = SIM_EVENTS_MAX;
    config.hpet.clock.event_count = SIM_EVENTS_MAX;
    for (size_t i = 0; i < SIM_EVENTS_MAX; i++) {
        config.tsc.events[i] = (struct sim_event){began + (10 + 80 * i) * MS, SIM_STEP, 1000000};
        config.hpet.clock.events[i] =
            (struct sim_event){began + (50 + 80 * i) * MS, SIM_STEP, 100000};
    }
    run(&config);
    assert_int_equal(record_count(result.com2.bytes, "step"), 2 * SIM_EVENTS_MAX);
    assert_int_equal(number(find("monitor", NULL, NULL), "steps"), 2 * SIM_EVENTS_MAX);
    for (size_t i = 0; i < SIM_EVENTS_MAX; i++) {
        assert_int_equal(number(nth("step", "tsc", i), "segment"), 2 * i + 1);
        assert_int_equal(number(nth("step", "hpet", i), "segment"), 2 * i + 2);
    }
}

// The rate changes between two windows, by less than one window could prove, or by a lot.
static void test_a_change_of_rate(void **state)
{
    static const int64_t ppms[] = {15, -15, 1000, 100000, -100000};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ppms); i++) {
        struct sim_config config = machine("window=20ms duration=400ms checks=off sections=none");
        uint64_t began = begin_ns(&config);
        config.tsc.event_count = 1;
        config.tsc.events[0] =
            (struct sim_event){began + 200 * MS, SIM_RATE, 1000000000 + ppms[i] * 1000};
        run(&config);
        check_windows();
        struct record monitor = find("monitor", NULL, NULL);
        assert_int_equal(number(monitor, "steps"), 0);
        assert_int_equal(number(monitor, "rate_changes"), 1);
        assert_int_equal(number(monitor, "stretches"), 2);
        struct record change = find("step", NULL, NULL);
        expect(change, "kind", "rate");
        assert_true(strncmp(change.line + 26, "tsc", 3) == 0); // alone, or "tsc or ..."
        assert_in_range(200 * (int64_t)MS, number(change, "after_ns") - 2200000,
                        number(change, "before_ns") + 2200000);
        // Both rates lie in what is said of every time, and the last one is the table's.
        int64_t first = 1000LL * SIM_TSC_HZ, second = first + SIM_TSC_HZ / 1000 * ppms[i];
        assert_in_range(first, millihertz(monitor, "low_hz"), millihertz(monitor, "high_hz"));
        assert_in_range(second, millihertz(monitor, "low_hz"), millihertz(monitor, "high_hz"));
        struct record whole = nth("measurement", "all", count_windows());
        assert_true(record_is_null(&whole, "window"));
        assert_in_range(second, millihertz(whole, "low_hz"), millihertz(whole, "high_hz"));
        assert_int_equal(record_count(result.com2.bytes, "reread"), 1);
        // A claim that is off for a part of the time is off.
        bool off = ppms[i] > 50 || ppms[i] < -50;
        expect(find("verdict", "source", "leaf-0x40000010"), "verdict", off ? "off" : "ok");
        expect_end(off ? "fail" : "pass");
    }
}

// A claim that is right before and wrong later, or the other way round, is off; also where the last
// stretch would call it right.
static void test_off_in_an_earlier_stretch(void **state)
{
    struct sim_config config = machine("window=20ms duration=600ms checks=off sections=none");

    (void)state;
    uint64_t began = begin_ns(&config);
    config.tsc.event_count = 2;
    config.tsc.events[0] = (struct sim_event){began + 200 * MS, SIM_RATE, 1001000000};
    config.tsc.events[1] = (struct sim_event){began + 400 * MS, SIM_RATE, 1000000000};
    run(&config);
    assert_int_equal(number(find("monitor", NULL, NULL), "stretches"), 3);
    struct record verdict = find("verdict", "source", "leaf-0x40000010");
    expect(verdict, "verdict", "off");
    assert_in_range(number(verdict, "error_ppb"), -1001000, -997000);
    expect_end("fail");
}

// A migration: the TSC runs at another rate, and the claim says so.
static void test_a_claim_that_changes_with_the_rate(void **state)
{
    struct sim_config config =
        machine("window=20ms duration=400ms checks=off sections=none clocks=pit,hpet,lapic");

    (void)state;
    uint64_t began = begin_ns(&config);
    config.tsc.event_count = 1;
    config.tsc.events[0] = (struct sim_event){began + 210 * MS, SIM_RATE, 1100000000};
    config.cpuid.change_at_ns = began + 210 * MS;
    config.cpuid.change_leaf = 0x40000010;
    config.cpuid.changed = (struct cpuid_words){SIM_TSC_HZ / 1000 * 11 / 10, 1000000, 0, 0};
    run(&config);
    struct record reread = find("reread", "source", "leaf-0x40000010");
    assert_true(record_is_true(&reread, "changed"));
    expect(reread, "clock", "tsc");
    assert_int_equal(millihertz(reread, "from_hz"), 1000LL * SIM_TSC_HZ);
    assert_int_equal(millihertz(reread, "to_hz"), 1100LL * SIM_TSC_HZ);
    assert_int_equal(number(reread, "window"), 11);
    expect(find("verdict", "source", "leaf-0x40000010"), "verdict", "ok");
    // What did not change along is off.
    expect(find("verdict", "source", "vmware-port"), "verdict", "off");
}

// The machine does not run for a while; every clock goes on, and some go round.
static void test_gaps(void **state)
{
    static const struct {
        uint64_t ns;
        const char *lost;
    } gaps[] = {
        {100 * MS, "pit"}, {3 * SECOND, "pit, pmtimer"}, {20 * SECOND, "pit, pmtimer, lapic"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(gaps); i++) {
        for (uint64_t seed = 1; seed <= 3; seed++) {
            struct sim_config config =
                machine("window=20ms duration=200ms checks=off sections=none");
            config.time_max_ns = 60 * SECOND;
            config.seed = seed;
            uint64_t began = begin_ns(&config);
            config.delays.stall_count = 1;
            config.delays.stalls[0].at_ns = began + 50 * MS;
            config.delays.stalls[0].length_ns = gaps[i].ns;
            run(&config);
            assert_int_equal(record_count(result.com2.bytes, "step"), 0);
            assert_int_equal(record_count(result.com2.bytes, "gap"), 1);
            struct record gap = find("gap", NULL, NULL);
            assert_int_equal(number(gap, "window"), 2);
            assert_in_range(number(gap, "after_ns"), 49 * MS, 51 * MS);
            assert_in_range(number(gap, "length_ns"), gaps[i].ns, gaps[i].ns + MS);
            expect(gap, "lost", gaps[i].lost);
            struct record monitor = find("monitor", NULL, NULL);
            assert_int_equal(number(monitor, "gaps"), 1);
            assert_int_equal(number(monitor, "longest_gap_ns"), number(gap, "length_ns"));
            assert_int_equal(number(monitor, "stretches"), 1);
            assert_true(record_is_true(&monitor, "monotonic"));
            assert_in_range(1000LL * SIM_TSC_HZ, millihertz(monitor, "low_hz"),
                            millihertz(monitor, "high_hz"));
            struct record reread = find("reread", NULL, NULL);
            assert_false(record_is_true(&reread, "changed"));
            check_windows();
            expect_end("pass");
        }
    }
}

// To read the claims again takes more than a second, as in a guest whose every CPUID is slow: that
// is no gap itself, or the next window would end in it again.
static void test_a_slow_scan_is_no_gap(void **state)
{
    struct sim_config config = machine("window=20ms duration=4s checks=off sections=none");

    (void)state;
    config.time_max_ns = 60 * SECOND;
    config.latency[SIM_CPUID] = (struct sim_latency){6 * MS, 0, MS};
    for (size_t i = SIM_PIT_LATCH; i <= SIM_LAPIC; i++)
        config.latency[i] = (struct sim_latency){20000, 20000, 0};
    uint64_t began = begin_ns(&config);
    config.delays.stall_count = 1;
    config.delays.stalls[0].at_ns = began + 50 * MS;
    config.delays.stalls[0].length_ns = 100 * MS;
    run(&config);
    assert_int_equal(record_count(result.com2.bytes, "reread"), 1);
    assert_int_equal(record_count(result.com2.bytes, "gap"), 1);
    assert_in_range(number(find("gap", NULL, NULL), "length_ns"), 100 * MS, 101 * MS);
}

// The only clock goes round in the gap: what it counted in it is not guessed at.
static void test_a_gap_that_the_only_clock_does_not_span(void **state)
{
    static const char *const options[] = {
        "window=20ms duration=200ms checks=off clocks=pit",
        "window=20ms duration=200ms checks=off clocks=pmtimer",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        struct sim_config config = machine(options[i]);
        config.time_max_ns = 60 * SECOND;
        uint64_t began = begin_ns(&config);
        config.delays.stall_count = 1;
        config.delays.stalls[0].at_ns = began + 50 * MS;
        config.delays.stalls[0].length_ns = 5 * SECOND;
        run(&config);
        expect(find("gap", NULL, NULL), "lost", i ? "pmtimer" : "pit");
        int64_t truth = 1000LL * SIM_TSC_HZ;
        for (size_t n = 0; n <= count_windows(); n++) {
            struct record window = nth("measurement", "all", n);
            assert_in_range(truth, millihertz(window, "low_hz"), millihertz(window, "high_hz"));
            // Half a window is enough for that.
            assert_true(millihertz(window, "high_hz") - millihertz(window, "low_hz") < truth / 100);
        }
        assert_int_equal(record_count(result.com2.bytes, "step"), 0);
    }
}

// A pause in which some clocks stand still and others go on with the TSC is no step.
static void test_a_pause_that_stops_a_clock(void **state)
{
    struct sim_config config = machine("window=20ms duration=400ms checks=off sections=none");

    (void)state;
    uint64_t began = begin_ns(&config);
    config.delays.stall_count = 1;
    config.delays.stalls[0].at_ns = began + 50 * MS;
    config.delays.stalls[0].length_ns = 150 * MS;
    // The HPET and the PM timer are a user process's, which keeps its time while it is stopped.
    struct sim_clock *stopped[] = {&config.hpet.clock, &config.pm_timer.clock};
    for (size_t i = 0; i < ARRAY_SIZE(stopped); i++) {
        stopped[i]->event_count = 2;
        stopped[i]->events[0] = (struct sim_event){began + 60 * MS, SIM_RATE, 0};
        stopped[i]->events[1] = (struct sim_event){began + 190 * MS, SIM_RATE, 1000000000};
    }
    run(&config);
    assert_int_equal(record_count(result.com2.bytes, "step"), 1);
    expect(find("step", NULL, NULL), "kind", "pause");
    struct record monitor = find("monitor", NULL, NULL);
    assert_int_equal(number(monitor, "steps"), 0);
    assert_int_equal(number(monitor, "gaps"), 1);
    assert_in_range(1000LL * SIM_TSC_HZ, millihertz(monitor, "low_hz"),
                    millihertz(monitor, "high_hz"));
    expect_end("pass");
    // Without the stall the same is a step.
    config.delays.stall_count = 0;
    run(&config);
    expect_end("fail");
}

// The whole machine stands still, its TSC as well; only the clock of the host's time of day goes
// on.
static void test_a_pause_that_only_a_wall_clock_sees(void **state)
{
    struct sim_config config = sim_machine("qemu-tcg");

    (void)state;
    config.options = "window=500ms duration=4s checks=off sections=none clocks=hpet,lapic,rtc";
    config.latency[SIM_HPET] = (struct sim_latency){50000, 50000, 1000};
    config.time_max_ns = 60 * SECOND;
    config.rtc.clock.event_count = 1;
    config.rtc.clock.events[0] = (struct sim_event){2500 * MS, SIM_STEP, 7 * 32768};
    run(&config);
    struct record pause = find("step", NULL, NULL);
    expect(pause, "clock", "rtc");
    expect(pause, "kind", "pause");
    assert_int_equal(record_count(result.com2.bytes, "step"), 1);
    struct record monitor = find("monitor", NULL, NULL);
    assert_int_equal(number(monitor, "steps"), 0);
    assert_int_equal(number(monitor, "gaps"), 1);
    assert_in_range(number(monitor, "longest_gap_ns"), 5 * SECOND, 7 * SECOND);
    expect_end("pass");
    // One that is set back did not go on.
    config.rtc.clock.events[0].amount = -7 * 32768;
    run(&config);
    expect_end("fail");
}

static void test_allan_and_drift(void **state)
{
    struct sim_config config =
        machine("window=10ms duration=640ms checks=off sections=none screen=off com1=off");
    int64_t quiet[5], value;

    (void)state;
    uint64_t began = begin_ns(&config);
    struct record monitor = find("monitor", NULL, NULL);
    assert_true(number(monitor, "drift_low_ppb_per_hour") <= 0);
    assert_true(number(monitor, "drift_high_ppb_per_hour") >= 0);
    for (size_t i = 0; i < ARRAY_SIZE(quiet); i++) {
        struct record allan = nth("allan", NULL, i);
        assert_int_equal(number(allan, "tau_ns"), 10 * MS << i);
        // Every window but the first has a value.
        assert_int_equal(number(allan, "samples"), (63 >> i) - 1);
        quiet[i] = millihertz(allan, "deviation_ppb");
    }
    assert_true(quiet[0] < 1000000);
    assert_true(quiet[4] < quiet[0] / 4); // what a reading takes averages out

    // The rate swings by 4 ppm to either side every 80 ms, too little for a break.
    config.tsc.event_count = 7;
    for (size_t i = 0; i < config.tsc.event_count; i++)
        config.tsc.events[i] = (struct sim_event){began + (80 * i + 80) * MS, SIM_RATE,
                                                  1000000000 + (i % 2 ? -4000 : 4000)};
    run(&config);
    assert_int_equal(record_count(result.com2.bytes, "step"), 0);
    // Adjacent averages of 80 ms differ by 8 ppm: 8 ppm / sqrt(2), a little less for the edges.
    value = millihertz(nth("allan", NULL, 3), "deviation_ppb");
    assert_in_range(value, 3600000, 6000000);
    // Of 10 ms only one pair in eight differs.
    value = millihertz(nth("allan", NULL, 0), "deviation_ppb");
    assert_in_range(value, 1360000, 2320000);
}

// The rate changes twice in a moment, and what was proven before does not hold; the last stretch
// has no time to prove anything. Of what all windows proved, the best value is some part.
static void test_a_best_value_without_a_stretch(void **state)
{
    struct sim_config config = machine("window=20ms duration=200ms checks=off sections=none");

    (void)state;
    uint64_t began = begin_ns(&config);
    config.tsc.event_count = 2;
    config.tsc.events[0] = (struct sim_event){began + 181 * MS, SIM_RATE, 1001024000};
    config.tsc.events[1] = (struct sim_event){began + 183 * MS, SIM_RATE, 996928000};
    config.hpet.clock.event_count = 1;
    config.hpet.clock.events[0] = (struct sim_event){began + 197 * MS, SIM_STEP, -2000};
    run(&config);
    struct record monitor = find("monitor", NULL, NULL);
    assert_in_range(millihertz(monitor, "estimate_hz"), millihertz(monitor, "low_hz"),
                    millihertz(monitor, "high_hz"));
}

// What was asked for that a monitor does not do.
static void test_no_early_stop(void **state)
{
    struct sim_config config = machine("window=20ms duration=100ms stop=verdict");

    (void)state;
    run(&config);
    assert_int_equal(check_windows(), 5);
    assert_non_null(strstr(result.com2.bytes, "do not end a window early"));
    // A window longer than the duration is cut to it.
    config.options = "window=1h duration=30ms";
    run(&config);
    assert_int_equal(check_windows(), 1);
    assert_null(strstr(result.com2.bytes, "do not end a window early"));
    assert_in_range(number(find("monitor", NULL, NULL), "duration_ns"), 30 * MS, 31 * MS);
}

// Without duration= the fields are there, and nothing else is.
static void test_one_window(void **state)
{
    struct sim_config config = machine("window=20ms");

    (void)state;
    run(&config);
    assert_int_equal(record_count(result.com2.bytes, "monitor"), 0);
    assert_int_equal(number(find("measurement", "clock", "all"), "window"), 0);
    assert_int_equal(number(find("measurement", "clock", "all"), "at_ns"), 0);
    assert_int_equal(number(find("measurement", "clock", "pit"), "window"), 0);
}

// Nothing to measure with: it ends, though it was to go on for ever.
static void test_nothing_to_measure_with(void **state)
{
    struct sim_config config = machine("duration=forever clocks=rtc");

    (void)state;
    config.rtc.clock.fault = SIM_ABSENT;
    run(&config);
    assert_int_equal(number(find("monitor", NULL, NULL), "windows"), 0);
    expect_end("inconclusive");
}

// The TSC stops for good in some window.
static void test_a_tsc_that_stops(void **state)
{
    struct sim_config config = machine("window=20ms duration=forever checks=off sections=none");

    (void)state;
    config.time_max_ns = 60 * SECOND;
    config.tsc.event_count = 1;
    config.tsc.events[0] = (struct sim_event){300 * MS, SIM_RATE, 0};
    run(&config);
    expect_end("fail");
    // What the windows before have proven is told, though the last one has no rate.
    struct record verdict = find("verdict", "source", "leaf-0x40000010");
    expect(verdict, "verdict", "ok");
    assert_in_range(number(verdict, "error_ppb") + 50000, 0, 100000);
    assert_null(strstr(result.com1.bytes, "leaf-0x40000010  tsc   ok:"));
}

// Machines made from seeds, with clocks of any kind and interruptions: in every window, and over
// all of them, the truth is inside, and no step is found where there is none.
static bool check_seed(uint64_t seed, bool loud)
{
    static struct random_machine random;
    const char *lines = result.com2.bytes, *wrong = NULL;
    struct record record = {NULL, 0};
    char options[160];

    random_machine(&random, seed, 20, RANDOM_ANY);
    snprintf(options, sizeof(options), "%s duration=%llums checks=off", random.options,
             (unsigned long long)(random.window_ns / MS * 6));
    random.config.options = options;
    random.config.time_max_ns += 6 * random.window_ns;
    sim_run(&random.config, &result);
    const struct sim_clock *tsc = &random.config.tsc;
    // Millihertz, rounded down: below 10^13, so that the product needs 128 bits.
    int64_t truth = (int64_t)((uint128)tsc->hz_numerator * (uint64_t)(1000000000 + tsc->error_ppb) /
                              1000000 / tsc->hz_denominator);
    if (result.exit == SIM_HUNG || result.violation_count)
        wrong = "it hung or broke a rule";
    while (!wrong && record_next(&lines, &record)) {
        int64_t low, high, estimate;
        if (record_is(&record, "record", "step") && record_is(&record, "kind", "step"))
            wrong = "a step is told where there was none";
        if ((record_is(&record, "record", "measurement") ||
             record_is(&record, "record", "monitor")) &&
            record_thousandths(&record, "low_hz", &low) &&
            record_thousandths(&record, "high_hz", &high) && (low > truth + 1 || high < truth))
            wrong = "the truth is outside";
        if (record_is(&record, "record", "monitor") &&
            record_thousandths(&record, "low_hz", &low) &&
            record_thousandths(&record, "high_hz", &high) &&
            (!record_thousandths(&record, "estimate_hz", &estimate) || estimate < low ||
             estimate > high))
            wrong = "the best value is none that is proven";
    }
    if (wrong || loud)
        fprintf(stderr, "%s\n%s\n%s\n", wrong ? wrong : "", loud ? result.com1.bytes : options,
                loud          ? result.com2.bytes
                : record.line ? record.line
                              : "");
    return !wrong;
}

static void test_machines_of_any_kind(void **state)
{
    (void)state;
    assert_int_equal(random_seeds(150, check_seed), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_whole_run_is_enclosed),
        cmocka_unit_test(test_a_step_is_told_in_its_window),
        cmocka_unit_test(test_many_steps),
        cmocka_unit_test(test_a_change_of_rate),
        cmocka_unit_test(test_off_in_an_earlier_stretch),
        cmocka_unit_test(test_a_claim_that_changes_with_the_rate),
        cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_a_slow_scan_is_no_gap),
        cmocka_unit_test(test_a_gap_that_the_only_clock_does_not_span),
        cmocka_unit_test(test_a_pause_that_stops_a_clock),
        cmocka_unit_test(test_a_pause_that_only_a_wall_clock_sees),
        cmocka_unit_test(test_allan_and_drift),
        cmocka_unit_test(test_a_best_value_without_a_stretch),
        cmocka_unit_test(test_no_early_stop),
        cmocka_unit_test(test_one_window),
        cmocka_unit_test(test_nothing_to_measure_with),
        cmocka_unit_test(test_a_tsc_that_stops),
        cmocka_unit_test(test_machines_of_any_kind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
