// The audit in whole runs: the layouts of every hypervisor, the quirks that are known of them, and
// what options do with a failed check.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "lib/check.h"
#include "lib/signature.h"
#include "tests/sim/run.h"
#include "tests/unit/fake_checks.h"

#define WINDOW "window=100ms precision=0 sections=vcpus"

static void expect_result(const char *id, const char *outcome, const char *detail)
{
    struct record record = find("check", "id", id);

    expect(record, "result", outcome);
    expect(record, "detail", detail);
}

// --- Layouts

static enum sim_fallback fallback_of(enum fake_beyond beyond)
{
    switch (beyond) {
    case FAKE_ECHO:
    case FAKE_KVM:
        return SIM_ECHO;
    case FAKE_CLAMP:
        return SIM_CLAMP;
    case FAKE_CONSTANT:
        return SIM_PASS_THROUGH;
    case FAKE_ZEROS:
        break;
    }
    return SIM_ZEROS;
}

// A machine whose TSC and LAPIC timer run at these rates; 0 leaves them as they are.
static void set_rates(struct sim_config *config, uint32_t tsc_khz, uint32_t bus_khz)
{
    if (tsc_khz)
        config->tsc = sim_clock_of(tsc_khz * 1000ull, 1);
    if (bus_khz)
        config->lapic.clock = sim_clock_of(bus_khz * 1000ull, 1);
}

static struct sim_config machine_of(const struct fake_machine *fake)
{
    struct sim_config config = sim_machine("kvm");

    config.options = WINDOW;
    config.paravirt.pvclock.present = config.paravirt.backdoor.port = false;
    config.cpuid.count = 0;
    config.cpuid.fallback = fallback_of(fake->beyond);
    config.cpuid.pass_through = fake->constant;
    for (const struct fake_leaf *leaf = fake->leaves; leaf->leaf != FAKE_END; leaf++) {
        const struct cpuid_words *words = &leaf->words;
        assert_true(config.cpuid.count < SIM_CPUID_MAX);
        config.cpuid.entries[config.cpuid.count].leaf = leaf->leaf;
        config.cpuid.entries[config.cpuid.count].subleaf = leaf->subleaf;
        config.cpuid.entries[config.cpuid.count++].words = *words;
        if (leaf->leaf == 1)
            config.cpuid.hypervisor_bit = words->ecx >> 31;
        if (leaf->leaf == 0x16)
            set_rates(&config, words->eax * 1000, 0);
        if (leaf->leaf == CPUID_TIMING_LEAF)
            set_rates(&config, words->eax, words->ebx);
    }
    // -cpu ...,-hypervisor hides the bit, and not QEMU's devices.
    config.fw_cfg.present = !config.cpuid.hypervisor_bit;
    // Of a basic leaf that is in range the host's words do not shine through.
    if (fake->beyond == FAKE_CONSTANT)
        sim_cpuid_set(&config, 0x15, 0, 0, 0, 0);
    return config;
}

static void test_layouts(void **state)
{
    (void)state;
    for (size_t i = 0; i < MACHINE_COUNT; i++) {
        const struct fake_machine *fake = &machines[machines_expected[i].machine];
        struct sim_config config = machine_of(fake);
        print_message("  %s\n", fake->name);
        run(&config);
        expect_failed(machines_expected[i].failed);
        expect(find("check", "id", "cpuid-repeatable"), "result", "pass");
    }
}

// The interface that a guest of this name looks for, as EAX has it; 0: none.
static uint32_t interface_of(const char signature[12])
{
    static const struct {
        const char *signature, *letters;
    } interfaces[] = {{"Microsoft Hv", "Hv#1"},
                      {"Linux KVM Hv", "Hv#1"},
                      {"Microsoft VS", "VS#1"},
                      {"apple-pv-xnu", "AH#1"}};
    uint32_t words = 0;

    for (size_t i = 0; i < ARRAY_SIZE(interfaces); i++)
        if (memcmp(interfaces[i].signature, signature, 12) == 0)
            memcpy(&words, interfaces[i].letters, 4);
    return words;
}

// Every known name, with all leaves that a guest of it may ask for: nothing fails.
static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < signature_count; i++) {
        struct sim_config config = sim_machine("kvm-invtsc");
        uint32_t letters = interface_of(signature_table[i].bytes);
        config.options = WINDOW;
        sim_cpuid_sign(&config, 0x40000000, 0x40000010, signature_table[i].bytes);
        if (letters)
            sim_cpuid_set(&config, 0x40000001, letters, 0, 0, 0);
        print_message("  %.12s\n", signature_table[i].bytes);
        run(&config);
        expect(find("hypervisor", NULL, NULL), "vendor", signature_table[i].vendor);
        expect(find("verdict", "source", "leaf-0x40000010"), "verdict", "ok");
        expect_failed("");
    }
}

// --- Quirks: section 7 of what is known of hypervisors, as far as CPUID shows them

static struct sim_config quirk(void)
{
    struct sim_config config = sim_machine("kvm-invtsc");

    config.options = WINDOW;
    config.tsc.error_ppb = 0;
    return config;
}

// bhyve, hyperkit: the host's crystal, while the LAPIC timer counts 2^27 Hz. Linux would set the
// timer by it.
static void test_crystal_of_the_host(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("bhyve");

    config.options = WINDOW;
    set_rates(&config, 2592000, 0);
    sim_set_cpu(&config, sim_cpu_intel, 0x16);
    sim_cpuid_set(&config, 0x15, 2, 216, 24000000, 0);
    sim_cpuid_set(&config, 0x16, 2592, 4800, 100, 0);
    sim_cpuid_sign(&config, 0x40000000, 0x40000000, "bhyve bhyve ");
    config.com2.present = true;
    run(&config);
    expect_failed("out-of-range-answer signature-once timing-leaf-range leaf-0x15-leak ");
    struct record check = find("check", "id", "leaf-0x15-leak");
    assert_non_null(strstr(check.line, "bus: leaf-0x15 24.000000 MHz, measured 134.21"));
}

// A cloud that scales the TSC, and passes the host's ratio through: 2.8 times off.
static void test_ratio_of_the_host(void **state)
{
    (void)state;
    struct sim_config config = quirk();

    sim_cpuid_set(&config, 0, 0x16, 0x756e6547, 0x6c65746e, 0x49656e69);
    sim_cpuid_set(&config, 0x15, 10, 28, 2596130000u, 0);
    sim_cpuid_set(&config, 0x16, 2600, 0, 0, 0);
    run(&config);
    expect(find("verdict", "source", "leaf-0x15"), "verdict", "off");
    expect(find("verdict", "source", "leaf-0x40000010"), "verdict", "ok");
    expect_failed("leaf-0x15-leak ");
    expect_end("pass");
}

// Bochs with a Skylake's CPUID: 875 times off where a TSC tick is an instruction. It names no
// hypervisor, so that this is a verdict and no leak.
static void test_bochs(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("bochs");

    config.options = "window=1000ms precision=0";
    config.tsc = sim_clock_of(4000000, 1);
    run(&config);
    struct record verdict = find("verdict", "source", "leaf-0x15");
    expect(verdict, "verdict", "off");
    assert_in_range(number(verdict, "error_ppb") / 1000000000, 873, 876);
    expect_result("leaf-0x15-leak", "skip", "no hypervisor");
}

// FreeBSD met a Firecracker without the leaf, QEMU's hv-* take it away: no claim, no failed check.
static void test_no_timing_leaf(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("firecracker");

    config.options = WINDOW " com1=json";
    sim_run(&config, &result);
    result.com2 = result.com1;
    expect(find("claim", "source", "leaf-0x40000010"), "reason",
           "max leaf 0x40000001 is below 0x40000010, which reads as zeros");
    expect(find("claim", "source", "brand"), "status", "absent");
    expect(find("verdict", "source", "pvclock"), "verdict", "ok");
    expect_failed("");
    config = sim_machine("kvm-hyper-v");
    config.options = WINDOW;
    run(&config);
    expect(find("claim", "source", "leaf-0x40000010"), "reason",
           "max leaf 0x40000005 is below 0x40000010, which reads as zeros");
    expect_failed("");
}

// KVM up to 250 ppm: the leaf says what was asked for, and the hardware was left as it is. Where it
// is scaled after all, nothing is off.
static void test_rate_that_was_asked_for(void **state)
{
    (void)state;
    struct sim_config config = quirk();

    sim_cpuid_set(&config, 0x40000010, SIM_TSC_HZ / 1000 + 259, 1000000, 0, 0);
    run(&config);
    expect(find("verdict", "source", "leaf-0x40000010"), "verdict", "off");
    expect(find("verdict", "source", "pvclock"), "verdict", "ok");
    expect_failed("claims-agree ");
    expect_end("fail");
    config.tsc = sim_clock_of((SIM_TSC_HZ / 1000 + 259) * 1000ull, 1);
    config.paravirt.pvclock.mul = 0xc5326b85; // 2^33 * 10^9 / that
    config.paravirt.backdoor.tsc_hz = (SIM_TSC_HZ / 1000 + 259) * 1000ull;
    run(&config);
    expect(find("verdict", "source", "leaf-0x40000010"), "verdict", "ok");
    expect_failed("");
    expect_end("pass");
}

// Xen viridian grants the frequency MSRs and does not announce them.
static void test_viridian(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("xen-viridian");

    config.options = WINDOW;
    config.com2.present = true;
    run(&config);
    expect(find("hypervisor", NULL, NULL), "vendor", "Xen");
    expect(find("claim", "source", "hyperv-msr"), "reason", "MSR 0x40000022; EDX bit 8 is clear");
    expect_failed("hyperv-frequency-bits ");
}

// VMware: its own flags in ECX, and a bus rate that its LAPIC timer has.
static void test_vmware(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("vmware");

    config.options = WINDOW;
    config.com2.present = true;
    sim_cpuid_set(&config, 0x40000010, 2596130, 66000, 3, 0);
    set_rates(&config, 2596130, 66000);
    run(&config);
    expect(find("check", "id", "timing-leaf-reserved"), "result", "pass");
    expect(find("check", "id", "bus-claim"), "result", "pass");
}

// TDX: the bits of KVM's clock are clear, or none of KVM's leaves is there; leaf 0x21 is.
static void test_tdx(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("tdx");

    config.options = WINDOW;
    run(&config);
    expect(find("evidence", "source", "tdx"), "finding", "leaf 0x21: an Intel TDX trust domain");
    expect(find("claim", "source", "pvclock"), "reason",
           "leaf 0x40000001 EAX bits 0 and 3 are clear");
    expect_failed("");
    sim_set_cpu(&config, sim_cpu_intel, 0x21);
    sim_cpuid_set(&config, 0x21, 0, 0x65746e49, 0x20202020, 0x5844546c);
    config.cpuid.fallback = SIM_ECHO;
    run(&config);
    find("evidence", "source", "tdx");
    expect(find("claim", "source", "pvclock"), "reason", "no KVM leaves");
    expect_failed("present-bit ");
    expect_result("out-of-range-answer", "pass", "the words of leaf 0x21, as Intel's CPUs do");
}

// --- What only a whole run shows

static void test_side_effects(void **state)
{
    (void)state;
    struct sim_config config = quirk();

    config.cpuid.change_at_ns = 50000000; // the scan is over by then
    config.cpuid.change_leaf = 0x40000001;
    config.cpuid.changed = (struct cpuid_words){0x01007eff, 0, 0, 0};
    run(&config);
    expect_failed("cpuid-repeatable ");
    struct record check = find("check", "id", "cpuid-repeatable");
    assert_non_null(strstr(check.line, "0x40000001: 01007efb 00000000 00000000 00000000, then "
                                       "01007eff 00000000 00000000 00000000"));
    // OSXSAVE, which may change.
    config.cpuid.change_leaf = 1;
    config.cpuid.changed = (struct cpuid_words){0x00800f12, 0x00000800, 0x7ed8320b, 0x0f8bfbff};
    run(&config);
    expect_failed("");
    check = find("check", "id", "cpuid-repeatable");
    assert_non_null(strstr(check.line, " leaves, 1 of them with bits that may change"));
}

static void test_bus_claim(void **state)
{
    (void)state;
    struct sim_config config = quirk();

    sim_cpuid_set(&config, 0x40000010, SIM_TSC_HZ / 1000, 200000, 0, 0);
    run(&config);
    expect_failed("claims-agree bus-claim "); // VMware's port has it right
    // A KVM that was told another bus, and whose LAPIC timer counts it: nothing is wrong.
    set_rates(&config, 0, 200000);
    config.paravirt.backdoor.bus_hz = 200000000;
    run(&config);
    expect_failed("");
    expect(find("measurement", "clock", "lapic"), "status", "empty");
    expect(find("verdict", "clock", "bus"), "verdict", "ok");
    assert_int_equal(record_count(result.com2.bytes, "oddity"), 0);
    expect_end("pass");
}

static void test_invariant_tsc(void **state)
{
    (void)state;
    struct sim_config config = quirk();

    run(&config);
    expect_result("invariant-tsc", "pass", "the bit is set, and the rate was constant");
    config.tsc.events[0] = (struct sim_event){result.last_bracket_ns - 50000000, SIM_STEP, 1000000};
    config.tsc.event_count = 1;
    run(&config);
    expect_failed("invariant-tsc ");
    expect_result("invariant-tsc", "fail", "the bit is set, but the TSC stepped");
    sim_cpuid_set(&config, 0x80000007, 0, 0, 0, 0);
    run(&config);
    expect_result("invariant-tsc", "skip", "the bit is clear: nothing is promised");
}

static void test_vendor_space(void **state)
{
    (void)state;
    struct sim_config config = quirk();

    config.options = "window=10ms scan=wide";
    sim_cpuid_sign(&config, 0x4015ad00, 0x4015ad01, "UnknownVMM42");
    run(&config);
    expect_failed("");
    expect_result("vendor-space-form", "pass", "1 vendor space");
    expect_result("unknown-blocks-ignored", "pass", "1, of which nothing else was read");
}

// --- Options

static struct sim_config failing(const char *options)
{
    struct sim_config config = quirk();

    config.options = options;
    sim_cpuid_set(&config, 0x40000010, SIM_TSC_HZ / 1000, 0, 1, 0);
    return config;
}

static void test_options(void **state)
{
    (void)state;
    struct sim_config config = failing(WINDOW);

    run(&config);
    expect_failed("timing-leaf-reserved ");
    expect_end("pass");
    assert_non_null(strstr(result.com1.bytes, "  fail  timing-leaf-reserved (flat-range)"));
    assert_null(strstr(result.com1.bytes, "  pass  "));

    config = failing(WINDOW " strict=on");
    run(&config);
    expect_end("fail");
    struct record end = find("end", NULL, NULL);
    assert_non_null(strstr(end.line, "check timing-leaf-reserved failed"));

    config = failing(WINDOW " expect=check:timing-leaf-reserved:fail,check:bus-claim:skip");
    run(&config);
    expect_end("pass");

    config = failing(WINDOW " expect=check:timing-leaf-reserved:pass");
    run(&config);
    expect_end("fail");
    expect(find("expect", NULL, NULL), "actual", "fail");

    config = failing(WINDOW " expect=check:timing-leaf:pass");
    run(&config);
    expect_end("fail"); // there is no such check: a bad option

    config = failing(WINDOW " checks=list");
    run(&config);
    assert_non_null(strstr(result.com1.bytes, "  pass  present-bit (vendor-leaf)"));
    expect(find("check", "id", "present-bit"), "rule",
           "CPUID 1 ECX bit 31 is set if and only if a signature leaf is there");
    assert_non_null(strstr(result.com1.bytes, "  skip  vendor-space-form (vendor-space)"));
}

static void test_checks_off(void **state)
{
    (void)state;
    struct sim_config config = failing(WINDOW " checks=off strict=on");

    run(&config);
    assert_int_equal(record_count(result.com2.bytes, "check"), 0);
    assert_null(strstr(result.com1.bytes, "Checks"));
    expect_end("pass");
    config = failing(WINDOW " checks=off expect=check:present-bit:pass");
    run(&config);
    expect(find("expect", NULL, NULL), "actual", "checks=off");
    expect_end("fail");
}

// Runs with this one expectation: what is said to have been found, and is it what was expected?
static void check_expectation(struct sim_config config, const char *expectation, const char *actual,
                              bool met)
{
    char options[128];

    snprintf(options, sizeof(options), "%s tolerance=100000ppm expect=%s", WINDOW, expectation);
    config.options = options;
    run(&config);
    struct record record = find("expect", "expect", expectation);
    expect(record, "result", met ? "pass" : "fail");
    if (actual)
        expect(record, "actual", actual);
    if (!met)
        expect_end("fail");
}

static void test_expectations(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("kvm-invtsc");

    check_expectation(config, "vendor:kvm", "KVM", true);
    check_expectation(config, "vendor:xen", "KVM", false);
    check_expectation(config, "boot:multiboot1", "multiboot1", true);
    check_expectation(config, "boot:pvh", "multiboot1", false);
    check_expectation(config, "tsc:2596130khz", NULL, true);
    check_expectation(config, "tsc:3600000khz", NULL, false);
    check_expectation(config, "clock:hpet:live", "live", true);
    check_expectation(config, "clock:rtc:slow", "slow", true);
    check_expectation(config, "clock:hpet:absent", "live", false);
    check_expectation(config, "clock:sundial:absent", "no such clock", false);
    check_expectation(config, "claim:leaf-0x40000010:ok", "ok", true);
    check_expectation(config, "claim:leaf-0x40000010:off", "ok", false);
    check_expectation(config, "claim:vmware-call:absent", "absent", true);
    check_expectation(config, "claim:xen-leaf-host:ok", "absent", false);
    // Absent is a source that is known, and states nothing.
    check_expectation(config, "claim:xen-leaf:absent", "absent", true);
    check_expectation(config, "claim:xen-leave:absent", "no such source", false);
    check_expectation(config, "check:present-bit:pass", "pass", true);
    config.pit.clock = config.hpet.clock = config.pm_timer.clock = config.lapic.clock =
        config.pvclock = config.rtc.clock = sim_no_clock();
    check_expectation(config, "tsc:2596130khz", "not measured", false);
}

static void test_tap(void **state)
{
    (void)state;
    struct sim_config config = failing(WINDOW " com1=tap");

    run(&config);
    assert_non_null(strstr(result.com1.bytes, "- timing-leaf-reserved: ECX and EDX of 0x40000010 "
                                              "are zero, but for VMware's flags # SKIP failed, for "
                                              "information"));
    assert_null(strstr(result.com1.bytes, "not ok"));
    config = failing(WINDOW " com1=tap strict=on");
    run(&config);
    const char *point = strstr(result.com1.bytes, "not ok ");
    assert_non_null(point);
    assert_non_null(strstr(point, "- timing-leaf-reserved: "));
}

// A '#' in a description would begin a directive: TAP 14, "Escaping".
static void test_tap_escapes(void **state)
{
    (void)state;
    struct sim_config config = sim_default();

    config.options = WINDOW " com1=tap expect=vendor:a#b";
    run(&config);
    assert_non_null(strstr(result.com1.bytes, "- expect vendor:a\\#b\r\n"));
    assert_non_null(strstr(result.com1.bytes, "the interface Hv\\#1 needs leaves up to 0x40000005 "
                                              "# SKIP the interface is not Hv#1\r\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_crystal_of_the_host),
        cmocka_unit_test(test_ratio_of_the_host),
        cmocka_unit_test(test_bochs),
        cmocka_unit_test(test_no_timing_leaf),
        cmocka_unit_test(test_rate_that_was_asked_for),
        cmocka_unit_test(test_viridian),
        cmocka_unit_test(test_vmware),
        cmocka_unit_test(test_tdx),
        cmocka_unit_test(test_side_effects),
        cmocka_unit_test(test_bus_claim),
        cmocka_unit_test(test_invariant_tsc),
        cmocka_unit_test(test_vendor_space),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_checks_off),
        cmocka_unit_test(test_expectations),
        cmocka_unit_test(test_tap),
        cmocka_unit_test(test_tap_escapes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
