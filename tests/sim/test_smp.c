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

static void expect_text(const char *text)
{
    if (!strstr(result.com1.bytes, text))
        fail_msg("there is no \"%s\" in\n%s", text, result.com1.bytes);
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
    expect_text("4 vCPUs are listed, 3 were examined: cpus=");
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

    // They come by the broadcast, too.
    config.acpi.has_madt = false;
    run(&config);
    expect(find("vcpus", NULL, NULL), "found_by", "broadcast");
    assert_int_equal(number(vcpu(1), "apic_id"), 300);
    assert_int_equal(number(vcpu(2), "apic_id"), 70000);
    expect_offset(2, 0);
    config.acpi.has_madt = true;

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

    config = machine(2);
    config.vcpus[1].manner = SIM_VCPU_NEVER;
    config.options = "window=20ms strict=on checks=off";
    run(&config);
    expect_end("fail");
    expect_text("FAIL: vCPU 1 is absent");
}

// Whoever does not come, or stops answering, has a second chance.
static void test_those_that_are_slow(void **state)
{
    (void)state;
    struct sim_config config = machine(4);

    config.vcpus[1].manner = SIM_VCPU_LATE;
    config.vcpus[2].manner = SIM_VCPU_STALLS;
    run(&config);
    for (unsigned i = 1; i < 4; i++) {
        expect_offset(i, 0);
        expect(vcpu(i), "verdict", "ok");
    }
    assert_int_equal(number(find("warp", NULL, NULL), "vcpus"), 4);
    expect_end("pass");
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
    struct record exception = find("exception", NULL, NULL);
    expect(exception, "name", "#UD invalid opcode");
    expect(exception, "rip", "0x0000000000100456");
    assert_int_equal(number(exception, "vcpu"), 1);
    assert_int_equal(record_count(result.com2.bytes, "exception"), 1);
    expect_text("the registers of vCPU 1:");
}

static void test_a_stack_overflow(void **state)
{
    (void)state;
    struct sim_config config = machine(4);

    config.options = "window=20ms fault=vcpu-stack";
    run(&config);
    expect(vcpu(1), "status", "faulted");
    expect(vcpu(1), "reason", "CPU exception 14 (stack overflow) at rip 0x100456");
    expect_offset(2, 0);
    expect_offset(3, 0);
    expect_end("fail");
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
    sim_msr_set(&config, 0x3b, 7);
    config.vcpus[1].tsc_adjust = (uint64_t)-12345;
    run(&config);
    assert_int_equal(number(vcpu(0), "tsc_adjust"), 7);
    assert_int_equal(number(vcpu(1), "tsc_adjust"), -12345);
    expect_text("        its IA32_TSC_ADJUST is -12345, CPU 0's 7");
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
    expect_text("  vCPU  ahead, cycles from ");

    // That two rates differ is proven all the same, and in the warp test.
    config.vcpus[1] = with_clock(-1000000, -300000000);
    run(&config);
    record = vcpu(1);
    expect(record, "verdict", "off");
    expect(record, "reason", "its offset to CPU 0 changed");
    assert_true(number(record, "rate_low_ppb") <= -300000000);
    assert_true(number(record, "rate_high_ppb") >= -300000000);
    expect_text(" cycles\r\n");
    expect_end("fail");
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

// --- Claims of each vCPU

static struct sim_config kvm(unsigned cpus)
{
    struct sim_config config = sim_machine("kvm");

    config.options = "window=20ms skew=10us";
    config.acpi.cpus = cpus;
    return config;
}

static int64_t millihertz(unsigned index, const char *key)
{
    struct record record = vcpu(index);
    int64_t value;

    if (!record_thousandths(&record, key, &value))
        fail_msg("%s is no rate: %.*s", key, (int)record.length, record.line);
    return value;
}

static void expect_clock(unsigned index, int64_t ahead_ns)
{
    struct record record = vcpu(index);

    if (number(record, "pvclock_low_ns") > ahead_ns || number(record, "pvclock_high_ns") < ahead_ns)
        fail_msg("the clock is ahead by %lld ns: %.*s", (long long)ahead_ns, (int)record.length,
                 record.line);
}

static void expect_no_text(const char *text)
{
    if (strstr(result.com1.bytes, text))
        fail_msg("there is \"%s\" in\n%s", text, result.com1.bytes);
}

static void test_pvclock_of_each(void **state)
{
    (void)state;
    struct sim_config config = kvm(4);

    run(&config);
    for (unsigned i = 0; i < 4; i++) {
        struct record record = vcpu(i);
        assert_int_equal(millihertz(i, "pvclock_hz"), 2596130000779);
        assert_true(record_is_true(&record, "pvclock_stable"));
        expect(record, "claims", i ? "same" : "none");
    }
    for (unsigned i = 1; i < 4; i++)
        expect_clock(i, 0);
    expect_text("  pvclock: one rate for all; ahead of CPU 0's by -");
    assert_int_equal(result.left.pvclock, 0);
    expect_end("pass");

    // A TSC that is set otherwise, with the same clock behind it.
    config.options = "window=20ms skew=1s";
    config.vcpus[1] = with_clock(1000000, 0);
    config.vcpus[2] = with_clock(-2000000, 0);
    config.vcpus[3].pvclock_ahead_ns = -500000;
    run(&config);
    expect_offset(1, 1000000);
    expect_clock(1, 0);
    expect_offset(2, -2000000);
    expect_clock(2, 0);
    expect_offset(3, 0);
    expect_clock(3, -500000);
    expect_end("pass");
}

// Is a clock that is another one than CPU 0's called so once that is proven, and not before?
static void test_another_clock(void **state)
{
    (void)state;
    struct sim_config config = kvm(2);

    run(&config);
    int64_t below = -number(vcpu(1), "pvclock_low_ns");
    assert_true(below > 0 && below < 10000);
    for (int percent = 95; percent <= 105; percent += 10) {
        config.vcpus[1].pvclock_ahead_ns = (10000 + below) * percent / 100;
        config.options = "window=20ms skew=10us";
        run(&config);
        expect_clock(1, config.vcpus[1].pvclock_ahead_ns);
        expect(vcpu(1), "verdict", "ok");
        expect(vcpu(1), "claims", percent > 100 ? "apart" : "same");
        expect_end("pass");
        if (percent > 100)
            expect_text(" ns ahead of CPU 0's: apart");
        else
            expect_no_text(" ns ahead of CPU 0's: apart");
        config.options = "window=20ms skew=10us strict=on checks=off";
        run(&config);
        expect_end(percent > 100 ? "fail" : "pass");
    }
}

#define MUL_OF_CPU_0 0xc53774d1u
static struct sim_time_page pvclock_faster(int64_t ppm)
{
    // A higher rate is a smaller multiplier.
    return (struct sim_time_page){
        .present = true,
        .mul = (uint32_t)((int64_t)MUL_OF_CPU_0 * 1000000 / (1000000 + ppm)),
        .shift = -1,
        .flags = 1,
    };
}

static void test_another_pvclock_rate(void **state)
{
    (void)state;
    static const struct {
        int64_t ppm;
        const char *claims, *end;
    } rates[] = {{20, "ok", "pass"},
                 {-20, "ok", "pass"},
                 {50, "inconclusive", "pass"},
                 {200, "off", "fail"},
                 {-200, "off", "fail"}};

    for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
        struct sim_config config = kvm(3);
        config.options = "window=50ms precision=0 skew=10us";
        config.vcpus[2].own_pvclock = true;
        config.vcpus[2].pvclock = pvclock_faster(rates[i].ppm);
        run(&config);
        expect(vcpu(1), "claims", "same");
        expect(vcpu(2), "claims", rates[i].claims);
        int64_t ppb = (millihertz(2, "pvclock_hz") - SIM_TSC_HZ * 1000LL) * 1000 / 2596130;
        assert_true(ppb > rates[i].ppm * 1000 - 10 && ppb < rates[i].ppm * 1000 + 10);
        expect_text("pvclock: not one rate for all");
        expect_text("        pvclock states 259");
        expect_end(rates[i].end);
        if (rates[i].end[0] == 'f')
            expect_text("FAIL: vCPU 2: pvclock states another rate than its TSC has");
    }
}

// A vCPU whose TSC really runs at another rate, and whose clock says so, makes no false claim.
static void test_a_pvclock_that_is_right(void **state)
{
    (void)state;
    struct sim_config config = kvm(2);

    config.options = "window=50ms precision=0 skew=10us";
    config.vcpus[1] = with_clock(0, 1000000);
    config.vcpus[1].own_pvclock = true;
    config.vcpus[1].pvclock = pvclock_faster(1000);
    run(&config);
    expect(vcpu(1), "claims", "ok");
    expect(vcpu(1), "reason", "its offset to CPU 0 changed");
    // With CPU 0's rate it would.
    config.vcpus[1].own_pvclock = false;
    run(&config);
    expect(vcpu(1), "claims", "same");
    expect(vcpu(1), "verdict", "off");
}

static void test_no_pvclock_on_one(void **state)
{
    (void)state;
    static const struct sim_time_page bad[] = {
        {.present = false},
        {.present = true, .silent = true},
        {.present = true, .busy = true, .mul = MUL_OF_CPU_0, .shift = -1},
        {.present = true, .mul = MUL_OF_CPU_0, .shift = 100},
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct sim_config config = kvm(3);
        config.vcpus[1].own_pvclock = true;
        config.vcpus[1].pvclock = bad[i];
        run(&config);
        struct record record = vcpu(1);
        assert_true(record_is_null(&record, "pvclock_hz"));
        assert_true(record_is_null(&record, "pvclock_stable"));
        assert_true(record_is_null(&record, "pvclock_low_ns"));
        expect(vcpu(1), "claims", "missing");
        expect(vcpu(2), "claims", "same");
        expect_text("pvclock states no rate, to CPU 0 2596.130001 MHz: missing");
        expect_end("pass");
        config.options = "window=20ms skew=10us strict=on checks=off";
        run(&config);
        expect_end("fail");
        expect_text("FAIL: vCPU 1: pvclock is not as on CPU 0");
    }
}

static void test_msrs_of_each(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("hyper-v-gen1");

    config.options = "window=50ms precision=0 skew=10us";
    config.acpi.cpus = 3;
    config.vcpus[2].msr.index = 0x40000022;
    config.vcpus[2].msr.value = SIM_TSC_HZ + 1000000;
    run(&config);
    assert_int_equal(millihertz(0, "hyperv_tsc_hz"), SIM_TSC_HZ * 1000LL);
    assert_int_equal(millihertz(1, "hyperv_tsc_hz"), SIM_TSC_HZ * 1000LL);
    assert_int_equal(millihertz(2, "hyperv_tsc_hz"), (SIM_TSC_HZ + 1000000) * 1000LL);
    expect(vcpu(1), "claims", "same");
    expect(vcpu(2), "claims", "off");
    expect(vcpu(2), "difference", "MSR 0x40000022: 0x000000009acd0f10");
    expect_text("hyperv-msr states 2597.130000 MHz, to CPU 0 2596.130000 MHz: off");
    expect_end("fail");

    // One that is no rate of the TSC informs.
    config.vcpus[2].msr.index = 0xce;
    config.vcpus[2].msr.value = 0x1a00;
    run(&config);
    expect(vcpu(2), "claims", "same");
    expect(vcpu(2), "platform_info", "0x0000000000001a00");
    assert_int_equal(number(vcpu(2), "differences"), 1);
    expect_end("pass");
}

// Of many, the worst is shown, however many others there are of which too little is known.
static void test_the_worst_is_shown(void **state)
{
    (void)state;
    struct sim_config config = machine(10);

    config.options = "window=20ms skew=1ns";
    config.vcpus[9] = with_clock(50000, 0);
    run(&config);
    expect_text("  TSC against CPU 0's, allowed +-1 ns: 0 ok, 8 inconclusive, 1 off");
    expect_text("\n     9  ");
    expect_text("  and 1 more: see the records");
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
        cmocka_unit_test(test_those_that_are_slow),
        cmocka_unit_test(test_a_fault),
        cmocka_unit_test(test_a_stack_overflow),
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
        cmocka_unit_test(test_pvclock_of_each),
        cmocka_unit_test(test_another_clock),
        cmocka_unit_test(test_another_pvclock_rate),
        cmocka_unit_test(test_a_pvclock_that_is_right),
        cmocka_unit_test(test_no_pvclock_on_one),
        cmocka_unit_test(test_msrs_of_each),
        cmocka_unit_test(test_the_worst_is_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
