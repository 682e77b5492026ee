// Tests of time in the simulated machine: the TSC, latencies, brackets, interruptions.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "tests/sim/machine.h"
#include "tests/sim/sim.h"

#define MILLISECOND_NS 1000000u

static struct sim_result result;

// A machine without randomness: every access takes 100 ns and acts in the middle.
static struct sim_config exact(void)
{
    struct sim_config config = sim_default();

    for (unsigned i = 0; i < SIM_ACCESSES; i++)
        config.latency[i] = (struct sim_latency){50, 50, 0};
    config.tsc = sim_clock_of(1000000000, 1);
    return config;
}

static void run(const struct sim_config *config, void (*guest)(const struct boot_info *))
{
    sim_run_guest(config, guest, &result);
}

// --- The TSC

static uint64_t tsc_first, tsc_last;

static void read_tsc_over_100_us(const struct boot_info *boot)
{
    (void)boot;
    tsc_first = machine_tsc();
    for (unsigned i = 0; i < 999; i++)
        machine_pause();
    tsc_last = machine_tsc();
}

static void test_tsc_rate(void **state)
{
    (void)state;
    struct sim_config config = exact();

    config.tsc = sim_clock_of(7777777770u, 3); // 2592592590 Hz exactly
    config.tsc.start_ticks = 1000;
    run(&config, read_tsc_over_100_us);
    assert_int_equal(result.exit, SIM_RETURNED);
    assert_int_equal(result.time_ns, 100100);
    assert_int_equal(result.operations, 1001);
    // At 50 ns and at 100050 ns.
    assert_int_equal(tsc_first, 1000 + 129);
    assert_int_equal(tsc_last, 1000 + 259388);
    config.tsc.error_ppb = -1000000; // 0.1 % slower
    run(&config, read_tsc_over_100_us);
    assert_int_equal(tsc_last, 1000 + 259129);
}

static void test_tsc_rate_is_exact_over_hours(void **state)
{
    (void)state;
    struct sim_config config = exact();

    config.tsc = sim_clock_of(3000000000u, 1);
    config.time_max_ns = 18000000000000u;
    config.delays.stalls[0].at_ns = 1000;
    config.delays.stalls[0].length_ns = 17999999900000u - 50;
    config.delays.stall_count = 1;
    run(&config, read_tsc_over_100_us);
    // It read the TSC five hours after power-on.
    assert_int_equal(tsc_last, 54000000000000);
    assert_int_equal(result.time_ns, 18000000000050);
}

static void test_tsc_quantum(void **state)
{
    (void)state;
    struct sim_config config = exact();

    config.tsc.start_ticks = 5;
    config.tsc_quantum = 16;
    run(&config, read_tsc_over_100_us);
    assert_int_equal(tsc_first, 48);    // 55
    assert_int_equal(tsc_last, 100048); // 100055
}

static void test_tsc_events(void **state)
{
    (void)state;
    struct sim_config config = exact();

    config.tsc.event_count = 1;
    config.tsc.events[0] = (struct sim_event){50000, SIM_STEP, 12345};
    run(&config, read_tsc_over_100_us);
    assert_int_equal(tsc_last - tsc_first, 100000 + 12345);

    config.tsc.events[0] = (struct sim_event){50000, SIM_STEP, -200000};
    run(&config, read_tsc_over_100_us);
    assert_int_equal((int64_t)(tsc_last - tsc_first), 100000 - 200000);

    config.tsc.events[0] = (struct sim_event){50050, SIM_RATE, 0};
    run(&config, read_tsc_over_100_us);
    assert_int_equal(tsc_last - tsc_first, 50000);

    config.tsc.events[1] = (struct sim_event){60050, SIM_RATE, 1500000000};
    config.tsc.event_count = 2;
    run(&config, read_tsc_over_100_us);
    assert_int_equal(tsc_last - tsc_first, 50000 + 60000);

    config.tsc.event_count = 0;
    config.tsc.fault = SIM_STUCK;
    run(&config, read_tsc_over_100_us);
    assert_int_equal(tsc_last, tsc_first);
}

// --- Brackets and latency

static struct bracket brackets[1000];

static void read_pm_timer(const struct boot_info *boot)
{
    (void)boot;
    for (size_t i = 0; i < ARRAY_SIZE(brackets); i++)
        machine_bracket_in32(0x608, &brackets[i]);
}

static void test_bracket_encloses_the_sample(void **state)
{
    (void)state;
    struct sim_config config = sim_default();
    uint64_t narrowest = UINT64_MAX, widest = 0;

    // With both clocks at the same rate the sample can be compared with the bracket.
    config.tsc = config.pm_timer.clock = sim_clock_of(1000000000, 1);
    config.pm_timer.bits = 32;
    config.latency[SIM_PM_TIMER] = (struct sim_latency){300, 700, 100};
    run(&config, read_pm_timer);
    for (size_t i = 0; i < ARRAY_SIZE(brackets); i++) {
        const struct bracket *bracket = &brackets[i];
        uint64_t width = bracket->after - bracket->before;
        assert_in_range(bracket->value, bracket->before + 300, bracket->after - 699);
        narrowest = width < narrowest ? width : narrowest;
        widest = width > widest ? width : widest;
        if (i)
            assert_true(bracket->before > bracket[-1].after);
    }
    assert_in_range(narrowest, 1000, 1020);
    assert_in_range(widest, 1400, 4000);
}

static void test_stall_and_preemptions(void **state)
{
    (void)state;
    struct sim_config config = exact();

    config.delays.stalls[0].at_ns = 50000;
    config.delays.stalls[0].length_ns = 80 * MILLISECOND_NS;
    config.delays.stall_count = 1;
    run(&config, read_tsc_over_100_us);
    assert_int_equal(tsc_last - tsc_first, 100000 + 80 * MILLISECOND_NS);

    config.delays = (struct sim_delays){.preemptions_per_s = 50000, // 5 in 100 us
                                        .preemption_min_ns = 1000,
                                        .preemption_max_ns = 2000};
    run(&config, read_tsc_over_100_us);
    assert_in_range(result.time_ns, 100100 + 1 * 1000, 100100 + 20 * 2000);
}

static void test_same_seed_same_run(void **state)
{
    (void)state;
    struct sim_config config = sim_default();
    uint64_t time_ns;

    run(&config, read_tsc_over_100_us);
    time_ns = result.time_ns;
    run(&config, read_tsc_over_100_us);
    assert_int_equal(result.time_ns, time_ns);
    config.seed++;
    run(&config, read_tsc_over_100_us);
    assert_int_not_equal(result.time_ns, time_ns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tsc_rate),
        cmocka_unit_test(test_tsc_rate_is_exact_over_hours),
        cmocka_unit_test(test_tsc_quantum),
        cmocka_unit_test(test_tsc_events),
        cmocka_unit_test(test_bracket_encloses_the_sample),
        cmocka_unit_test(test_stall_and_preemptions),
        cmocka_unit_test(test_same_seed_same_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
