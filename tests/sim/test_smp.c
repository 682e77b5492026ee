// Several vCPUs: how they are found and started, and what is said of those that are not as CPU 0.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/sim/run.h"

#define TSC_START 12345678901u // sim_default's

// 1 us at 2596.130 MHz, the default of skew=.
#define LIMIT_CYCLES 2596

static struct sim_config machine(unsigned cpus)
{
    struct sim_config config = sim_default();

    config.options = "window=20ms";
    config.acpi.cpus = cpus;
    return config;
}

static struct record vcpu(unsigned index)
{
    const char *lines = result.com2.bytes;
    struct record record;

    while (record_next(&lines, &record))
        if (record_is(&record, "record", "vcpu") && number(record, "index") == index)
            return record;
    fail_msg("there is no vCPU %u in\n%s", index, result.com2.bytes);
    return record;
}

static void expect_offset(unsigned index, int64_t offset)
{
    struct record record = vcpu(index);

    expect(record, "status", "up");
    if (number(record, "offset_low_cycles") > offset ||
        number(record, "offset_high_cycles") < offset)
        fail_msg("the offset %lld is not enclosed: %.*s", (long long)offset, (int)record.length,
                 record.line);
}

static struct sim_vcpu with_clock(int64_t offset, int64_t error_ppb)
{
    struct sim_vcpu config = {.own_tsc = true, .tsc = sim_clock_of(SIM_TSC_HZ, 1)};

    config.tsc.start_ticks = (uint64_t)(TSC_START + offset);
    config.tsc.error_ppb = error_ppb;
    return config;
}

static void test_all_alike(void **state)
{
    (void)state;
    static const unsigned counts[] = {2, 3, 16};

    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        struct sim_config config = machine(counts[i]);
        run(&config);
        expect_end("pass");
        assert_int_equal(number(find("vcpus", NULL, NULL), "up"), counts[i]);
        expect(find("vcpus", NULL, NULL), "found_by", "madt");
        assert_int_equal(record_count(result.com2.bytes, "vcpu"), counts[i]);
        for (unsigned j = 1; j < counts[i]; j++) {
            expect_offset(j, 0);
            expect(vcpu(j), "verdict", "ok");
            assert_int_equal(number(vcpu(j), "differences"), 0);
        }
        assert_int_equal(number(find("warp", NULL, NULL), "vcpus"), counts[i]);
        assert_int_equal(number(find("warp", NULL, NULL), "warps"), 0);
    }
}

static void test_one_is_not_started(void **state)
{
    (void)state;
    struct sim_config config = machine(1);

    run(&config);
    assert_int_equal(record_count(result.com2.bytes, "vcpu"), 0);
    config = machine(4);
    config.options = "window=20ms cpus=1";
    run(&config);
    assert_int_equal(record_count(result.com2.bytes, "vcpu"), 0);
    expect_end("pass");
    config.options = "window=20ms cpus=3";
    run(&config);
    assert_int_equal(record_count(result.com2.bytes, "vcpu"), 3);
    assert_int_equal(number(find("vcpus", NULL, NULL), "listed"), 4);
}

static void test_without_a_madt(void **state)
{
    (void)state;
    struct sim_config config = machine(4);

    config.acpi.has_madt = false;
    config.vcpus[2].apic_id = 9;
    config.vcpus[3].manner = SIM_VCPU_NEVER;
    run(&config);
    expect(find("vcpus", NULL, NULL), "found_by", "broadcast");
    assert_int_equal(number(find("vcpus", NULL, NULL), "up"), 3);
    assert_int_equal(record_count(result.com2.bytes, "vcpu"), 3);
    expect_offset(1, 0);
    expect_offset(2, 0);
    expect_end("pass");
}

static void test_x2apic(void **state)
{
    (void)state;
    struct sim_config config = machine(3);

    config.lapic.x2apic = true;
    config.vcpus[1].apic_id = 300;
    config.vcpus[2].apic_id = 70000;
    run(&config);
    assert_int_equal(number(vcpu(1), "apic_id"), 300);
    assert_int_equal(number(vcpu(2), "apic_id"), 70000);
    expect_offset(1, 0);
    expect_offset(2, 0);
    expect_end("pass");

    // Such an id cannot be reached in the old mode.
    config.lapic.x2apic_faults = true;
    run(&config);
    expect(vcpu(1), "status", "absent");
    expect_end("pass");
}

static void test_no_local_apic(void **state)
{
    (void)state;
    struct sim_config config = machine(3);

    config.lapic.clock = sim_no_clock();
    run(&config);
    assert_int_equal(record_count(result.com2.bytes, "vcpu"), 0);
    expect(find("vcpus", NULL, NULL), "reason", "CPUID 1 EDX bit 9 says: no local APIC");
}

static void test_those_that_do_not_work(void **state)
{
    (void)state;
    struct sim_config config = machine(6);

    config.vcpus[1].manner = SIM_VCPU_NEVER;
    config.vcpus[2].manner = SIM_VCPU_SECOND;
    config.vcpus[3].manner = SIM_VCPU_HANGS;
    run(&config);
    expect(vcpu(1), "status", "absent");
    expect(vcpu(2), "status", "up");
    expect(vcpu(3), "status", "lost");
    expect_offset(4, 0);
    expect_offset(5, 0);
    assert_true(strstr(result.com1.bytes, "absent: it did not come up") != NULL);
    expect_end("pass");

    config.options = "window=20ms strict=on";
    run(&config);
    expect_end("fail");
}

static void test_a_fault(void **state)
{
    (void)state;
    struct sim_config config = machine(3);

    config.vcpus[1].manner = SIM_VCPU_FAULTS;
    run(&config);
    expect(vcpu(1), "status", "faulted");
    expect(vcpu(1), "reason", "CPU exception 6 at rip 0x100456");
    expect_offset(2, 0);
    expect_end("fail");
    assert_true(strstr(result.com1.bytes, "FAIL: vCPU 1 raised CPU exception 6") != NULL);
}

static void test_another_cpuid(void **state)
{
    (void)state;
    struct sim_config config = machine(3);

    config.vcpus[2].odd_leaf = 0x80000008;
    run(&config);
    assert_int_equal(number(vcpu(1), "differences"), 0);
    assert_int_equal(number(vcpu(2), "differences"), 1);
    expect(vcpu(2), "difference", "leaf 0x80000008.0: 0x00003029 0x00000000 0x00000000 0x00000000");
    expect_end("pass");
    config.options = "window=20ms strict=on";
    run(&config);
    expect_end("fail");
}

static void test_tsc_adjust(void **state)
{
    (void)state;
    struct sim_config config = machine(2);

    sim_cpuid_set(&config, 7, 0, 0x001803ab, 0, 0);
    config.vcpus[1].tsc_adjust = (uint64_t)-12345;
    run(&config);
    assert_int_equal(number(vcpu(1), "tsc_adjust"), -12345);
}

// The ways of an exchange on the simulated machine: the enclosure without any skew.
static void measure_ways(int64_t *there, int64_t *back)
{
    struct sim_config config = machine(2);

    run(&config);
    *there = number(vcpu(1), "offset_high_cycles");
    *back = -number(vcpu(1), "offset_low_cycles");
    assert_true(*there >= 0 && *back >= 0 && *there + *back > 0);
}

// A skew is proven to be above skew= once it exceeds it by the way there or back. (An enclosure
// reaches from the skew less the way back to the skew plus the way there.)
static void test_skews_around_the_threshold(void **state)
{
    (void)state;
    int64_t there, back;

    measure_ways(&there, &back);
    for (int sign = -1; sign <= 1; sign += 2) {
        int64_t threshold = LIMIT_CYCLES + (sign > 0 ? back : there);
        for (int percent = 95; percent <= 105; percent += 10) {
            int64_t skew = sign * threshold * percent / 100;
            struct sim_config config = machine(3);
            config.options = "window=20ms precision=0";
            config.vcpus[1] = with_clock(skew, 0);
            run(&config);
            expect_offset(1, skew);
            expect_offset(2, 0);
            expect(vcpu(2), "verdict", "ok");
            expect(vcpu(1), "verdict", percent > 100 ? "off" : "inconclusive");
            expect_end(percent > 100 ? "fail" : "pass");
        }
    }
}

static void test_a_skew_that_is_allowed(void **state)
{
    (void)state;
    struct sim_config config = machine(2);

    config.options = "window=20ms skew=1ms";
    config.vcpus[1] = with_clock(2000000, 0); // 0.77 ms
    run(&config);
    expect_offset(1, 2000000);
    expect(vcpu(1), "verdict", "ok");
    // And the warp test finds it all the same.
    assert_true(number(find("warp", NULL, NULL), "warps") > 0);
    int64_t largest = number(find("warp", NULL, NULL), "max_cycles");
    assert_true(largest > 1900000 && largest <= 2000000);
    expect_end("pass");
}

static void test_an_enormous_skew(void **state)
{
    (void)state;
    static const int64_t skews[] = {INT64_C(1) << 40, -(INT64_C(1) << 33)};

    for (size_t i = 0; i < ARRAY_SIZE(skews); i++) {
        struct sim_config config = machine(2);
        config.vcpus[1] = with_clock(skews[i], 0);
        run(&config);
        expect_offset(1, skews[i]);
        expect(vcpu(1), "verdict", "off");
        expect_end("fail");
    }
}

// A rate is proven to be another once it moves the offset by more than both ways from the first
// block to the second.
static void test_another_rate(void **state)
{
    (void)state;
    int64_t there, back;

    measure_ways(&there, &back);
    struct record none = vcpu(1);
    assert_true(number(none, "rate_low_ppb") <= 0 && number(none, "rate_high_ppb") >= 0);
    for (int percent = 90; percent <= 300; percent += 210) {
        int64_t width = number(none, "rate_high_ppb");
        int64_t ppb = percent > 100 ? width * 3 : width / 4;
        struct sim_config config = machine(2);
        // Its TSC is as CPU 0's when the blocks begin, about.
        config.vcpus[1] = with_clock(0, ppb);
        config.options = "window=20ms skew=1ms";
        run(&config);
        struct record record = vcpu(1);
        if (number(record, "rate_low_ppb") > ppb || number(record, "rate_high_ppb") < ppb)
            fail_msg("the rate %lld ppb is not enclosed: %.*s", (long long)ppb, (int)record.length,
                     record.line);
        expect(record, "verdict", percent > 100 ? "off" : "ok");
        // `none` lies in what the run has overwritten.
        measure_ways(&there, &back);
        none = vcpu(1);
    }
}

static void test_a_step_between_the_blocks(void **state)
{
    (void)state;
    struct sim_config config = machine(2);

    config.options = "window=50ms precision=0 skew=1ms";
    config.vcpus[1] = with_clock(0, 0);
    config.vcpus[1].tsc.events[0] = (struct sim_event){60000000, SIM_STEP, 50000};
    config.vcpus[1].tsc.event_count = 1;
    run(&config);
    assert_true(result.time_ns > 65000000);
    expect(vcpu(1), "verdict", "off");
    expect(vcpu(1), "reason", "its offset to CPU 0 changed");
    expect_end("fail");
}

// All is well but for the warp test, during which one TSC is set back.
static void test_a_warp(void **state)
{
    (void)state;
    struct sim_config config = machine(3);

    config.options = "window=20ms checks=off"; // what is reported behind it shifts the end
    config.vcpus[1] = with_clock(0, 0);
    run(&config);
    expect_end("pass");
    uint64_t end_ns = result.time_ns;
    unsigned found = 0;
    // The warp test takes 1 ms or more, some time before the end.
    for (uint64_t before_ns = 1000000; before_ns <= 12000000; before_ns += 700000) {
        config.vcpus[1].tsc.events[0] =
            (struct sim_event){end_ns - before_ns, SIM_STEP, -3 * LIMIT_CYCLES};
        config.vcpus[1].tsc.event_count = 1;
        run(&config);
        struct record stepped = vcpu(1);
        if (record_is(&stepped, "verdict", "off") || !number(find("warp", NULL, NULL), "warps"))
            continue; // before it, or after it
        found++;
        int64_t largest = number(find("warp", NULL, NULL), "max_cycles");
        assert_true(largest > 2 * LIMIT_CYCLES && largest <= 3 * LIMIT_CYCLES);
        expect_end("fail");
        assert_true(strstr(result.com1.bytes, "the TSC goes backwards") != NULL);
    }
    assert_true(found > 0);
}

static void test_no_rate_is_known(void **state)
{
    (void)state;
    struct sim_config config = machine(2);

    config.pit.clock.fault = config.hpet.clock.fault = SIM_ABSENT;
    config.pm_timer.clock.fault = SIM_ABSENT;
    config.acpi.has_hpet = false;
    config.lapic.deadline_only = true;
    run(&config);
    expect_offset(1, 0);
    struct record record = vcpu(1);
    assert_true(record_is_null(&record, "offset_low_ns"));
    expect(record, "verdict", "inconclusive");
    expect_end("inconclusive");
}

// Interrupted now and then, an enclosure is no worse than its luckiest exchanges.
static void test_preempted(void **state)
{
    (void)state;
    struct sim_config config = machine(4);

    config.delays.preemptions_per_s = 2000;
    config.delays.preemption_min_ns = 10000;
    config.delays.preemption_max_ns = 300000;
    for (unsigned seed = 1; seed <= 10; seed++) {
        config.seed = seed;
        run(&config);
        for (unsigned i = 1; i < 4; i++) {
            expect_offset(i, 0);
            expect(vcpu(i), "verdict", "ok");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_alike),
        cmocka_unit_test(test_one_is_not_started),
        cmocka_unit_test(test_without_a_madt),
        cmocka_unit_test(test_x2apic),
        cmocka_unit_test(test_no_local_apic),
        cmocka_unit_test(test_those_that_do_not_work),
        cmocka_unit_test(test_a_fault),
        cmocka_unit_test(test_another_cpuid),
        cmocka_unit_test(test_tsc_adjust),
        cmocka_unit_test(test_skews_around_the_threshold),
        cmocka_unit_test(test_a_skew_that_is_allowed),
        cmocka_unit_test(test_an_enormous_skew),
        cmocka_unit_test(test_another_rate),
        cmocka_unit_test(test_a_step_between_the_blocks),
        cmocka_unit_test(test_a_warp),
        cmocka_unit_test(test_no_rate_is_known),
        cmocka_unit_test(test_preempted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
