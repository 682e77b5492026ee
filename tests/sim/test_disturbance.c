// What disturbs the guest: gaps of known number and size, and what KVM says was stolen.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "tests/sim/run.h"

#define STEAL_TIME (1u << 5) // KVM's feature leaf
#define MS         1000000   // ns

static struct sim_config machine(void)
{
    struct sim_config config = sim_machine("kvm-invtsc");

    config.options = "window=20ms precision=0 sections=disturbance";
    config.delays.preemptions_per_s = 0;
    for (size_t i = 0; i < SIM_ACCESSES; i++)
        config.latency[i].jitter_ns = 0;
    // The report takes no time, so that the spin is at the end of the run.
    config.latency[SIM_PORT] = config.latency[SIM_CPUID] = (struct sim_latency){1, 1, 0};
    config.screen = false;
    sim_cpuid_set(&config, 0x40000001, 0x01007ecb, 0, 0, 0);
    return config;
}

static struct sim_config with_steal(uint32_t permille)
{
    struct sim_config config = machine();

    sim_cpuid_set(&config, 0x40000001, 0x01007ecb | STEAL_TIME, 0, 0, 0);
    config.paravirt.steal = (struct sim_steal){.present = true, .permille = permille};
    return config;
}

// True time at which the disturbance's spin certainly goes on, from a run without one.
static uint64_t middle_of_spin(struct sim_config config)
{
    run(&config);
    struct record record = find("disturbance", NULL, NULL);
    return result.time_ns - (uint64_t)number(record, "spin_ns") / 2 - 1 * MS;
}

static struct record disturbance(void)
{
    return find("disturbance", NULL, NULL);
}

static bool says(const char *words)
{
    return strstr(result.com1.bytes, words) != NULL;
}

// The count in the octave that holds so many cycles, 0 without one.
static int64_t in_octave(uint64_t cycles)
{
    const char *lines = result.com2.bytes;
    struct record record;

    while (record_next(&lines, &record))
        if (record_is(&record, "record", "gap_bucket") &&
            number(record, "from_cycles") <= (int64_t)cycles &&
            (int64_t)cycles < number(record, "to_cycles"))
            return number(record, "count");
    return 0;
}

static void test_not_by_default(void **state)
{
    (void)state;
    struct sim_config config = machine();
    struct record record;

    config.options = "window=5ms";
    run(&config);
    assert_false(record_find(result.com2.bytes, "disturbance", NULL, NULL, &record));
    assert_false(says("Disturbance"));
}

static void test_quiet(void **state)
{
    (void)state;
    struct sim_config config = machine();

    run(&config);
    expect_end("pass");
    struct record record = disturbance();
    assert_in_range(number(record, "spin_ns"), 20 * MS - 1, 20 * MS + 1000);
    // One reading takes 20 ns.
    assert_in_range(number(record, "reads"), 990000, 1010000);
    assert_in_range(number(record, "typical_cycles"), 51, 54);
    assert_int_equal(number(record, "gaps"), 0);
    assert_int_equal(number(record, "longest_cycles"), 0);
    assert_int_equal(number(record, "lost_ppb"), 0);
    assert_int_equal(number(record, "backwards"), 0);
    assert_int_equal(in_octave(52), number(record, "reads"));
    expect(record, "steal", "absent");
    assert_true(record_is_null(&record, "steal_ns"));
    assert_true(says("steal time: leaf 0x40000001 EAX bit 5 is clear"));
}

static void test_gaps_are_counted_and_sized(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {1000, 50000, 4000000};
    struct sim_config config = machine();
    uint64_t at = middle_of_spin(config);
    int64_t lost = 0;

    for (size_t i = 0; i < 3; i++) {
        config.delays.stalls[i].at_ns = at + i * MS / 2;
        config.delays.stalls[i].length_ns = lengths[i];
        lost += lengths[i];
    }
    config.delays.stall_count = 3;
    run(&config);
    struct record record = disturbance();
    assert_int_equal(number(record, "gaps"), 3);
    assert_in_range(number(record, "longest_ns"), 4000000, 4000000 + 25);
    assert_in_range(number(record, "lost_ns"), lost - 3, lost + 25);
    assert_in_range(number(record, "lost_ppb"), lost * 50 - 5000, lost * 50 + 5000);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(in_octave((uint64_t)lengths[i] * 2596 / 1000 + 52), 1);
}

// 10 times the usual distance, 200 ns: a little less is no gap, a little more is one.
static void test_the_limit(void **state)
{
    (void)state;
    struct sim_config config = machine();
    uint64_t at = middle_of_spin(config);

    config.delays.stall_count = 1;
    config.delays.stalls[0].at_ns = at;
    config.delays.stalls[0].length_ns = 170; // and the 20 of a reading: 0.95
    run(&config);
    assert_int_equal(number(disturbance(), "gaps"), 0);
    config.delays.stalls[0].length_ns = 195; // 1.05
    run(&config);
    assert_int_equal(number(disturbance(), "gaps"), 1);
}

static void test_the_rate_of_preemptions(void **state)
{
    (void)state;
    struct sim_config config = machine();
    int64_t rate;

    config.options = "window=40ms precision=0 sections=disturbance";
    config.delays.preemptions_per_s = 5000;
    config.delays.preemption_min_ns = 20000;
    config.delays.preemption_max_ns = 40000;
    run(&config);
    struct record record = disturbance();
    // 200 of 30 us in 40 ms, less what they take: 10 % of the time, four standard deviations.
    assert_true(record_thousandths(&record, "gaps_per_s", &rate));
    assert_in_range(rate / 1000, 3000, 6000);
    assert_in_range(number(record, "lost_ppb"), 80000000, 180000000);
    assert_in_range(number(record, "longest_ns"), 35000, 100000);
}

static void test_steal_agrees(void **state)
{
    (void)state;
    struct sim_config config = with_steal(1000);
    uint64_t at = middle_of_spin(config);

    expect(disturbance(), "steal", "agrees");
    assert_int_equal(number(disturbance(), "steal_ns"), 0);
    config.delays.stall_count = 2;
    config.delays.stalls[0].at_ns = at;
    config.delays.stalls[0].length_ns = 3 * MS;
    config.delays.stalls[1].at_ns = at + 4 * MS;
    config.delays.stalls[1].length_ns = 2 * MS;
    run(&config);
    expect(disturbance(), "steal", "agrees");
    assert_int_equal(number(disturbance(), "steal_ns"), 5 * MS);
    expect(disturbance(), "reason", "");
    // The host's page is taken back.
    assert_int_equal(result.left.steal, 0);
    expect_end("pass");
}

// Of 5 ms that were lost: 10 % and 200 us more, and half less 200 us, are still believed.
static void test_steal_disagrees(void **state)
{
    (void)state;
    static const struct {
        uint32_t permille;
        const char *steal;
    } cases[] = {{0, "less"},      {450, "less"},  {470, "agrees"}, {800, "agrees"},
                 {1130, "agrees"}, {1150, "more"}, {3000, "more"}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sim_config config = with_steal(cases[i].permille);
        uint64_t at = middle_of_spin(config);
        config.delays.stall_count = 1;
        config.delays.stalls[0].at_ns = at;
        config.delays.stalls[0].length_ns = 5 * MS;
        run(&config);
        expect(disturbance(), "steal", cases[i].steal);
        assert_int_equal(number(disturbance(), "steal_ns"), 5000 * cases[i].permille);
        assert_int_equal(says(": more than there was"), cases[i].permille > 1140);
        assert_int_equal(says(": less than half"), cases[i].permille < 460);
        expect_end("pass");
    }
}

static void test_steal_that_cannot_be_had(void **state)
{
    (void)state;
    struct sim_config config = with_steal(1000);

    config.paravirt.steal.silent = true;
    run(&config);
    expect(disturbance(), "steal", "absent");
    expect(disturbance(), "reason", "its page was never written");
    config.paravirt.steal.silent = false;
    config.paravirt.steal.busy = true;
    run(&config);
    expect(disturbance(), "reason", "its page is being written without end");
    config.paravirt.steal.present = false;
    run(&config);
    expect(disturbance(), "reason", "writing MSR 0x4b564d03 raises #GP");
    config = sim_default();
    config.options = "window=5ms sections=disturbance";
    run(&config);
    expect(disturbance(), "reason", "no KVM leaves");
}

static void test_the_tsc_goes_back(void **state)
{
    (void)state;
    struct sim_config config = machine();
    uint64_t at = middle_of_spin(config);

    config.tsc.events[0] = (struct sim_event){at, SIM_STEP, -1000000};
    config.tsc.event_count = 1;
    run(&config);
    assert_int_equal(number(disturbance(), "backwards"), 1);
    assert_int_equal(number(disturbance(), "gaps"), 0);
    assert_true(says("the TSC went back 1 times"));
    // The readings before and after the step are 20 ms together.
    assert_in_range(number(disturbance(), "spin_ns"), 20 * MS - 1000, 20 * MS + 1000);
    assert_in_range(number(disturbance(), "reads"), 995000, 1005000);
}

static void test_the_tsc_stops(void **state)
{
    (void)state;
    struct sim_config config = machine();
    uint64_t at = middle_of_spin(config);

    config.tsc.events[0] = (struct sim_event){at, SIM_RATE, 0};
    config.tsc.event_count = 1;
    run(&config);
    assert_true(says("the TSC stopped while it was read in a row"));
    struct record record = disturbance();
    assert_true(record_is_true(&record, "stopped"));
}

static void test_without_a_rate(void **state)
{
    (void)state;
    struct sim_config config = sim_default();

    config.options = "window=5ms sections=disturbance";
    config.latency[SIM_TSC] = (struct sim_latency){1000, 1000, 0};
    config.pit.clock.fault = config.hpet.clock.fault = config.pm_timer.clock.fault = SIM_ABSENT;
    config.lapic.clock.fault = config.rtc.clock.fault = SIM_ABSENT;
    run(&config);
    struct record record = disturbance();
    assert_true(record_is_null(&record, "spin_ns"));
    assert_true(record_is_null(&record, "gaps_per_s"));
    assert_in_range(number(record, "spin_cycles"), 1000000000, 1000010000);
    expect_end("inconclusive");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_not_by_default),
        cmocka_unit_test(test_quiet),
        cmocka_unit_test(test_gaps_are_counted_and_sized),
        cmocka_unit_test(test_the_limit),
        cmocka_unit_test(test_the_rate_of_preemptions),
        cmocka_unit_test(test_steal_agrees),
        cmocka_unit_test(test_steal_disagrees),
        cmocka_unit_test(test_steal_that_cannot_be_had),
        cmocka_unit_test(test_the_tsc_goes_back),
        cmocka_unit_test(test_the_tsc_stops),
        cmocka_unit_test(test_without_a_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
