#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

// The sources are compiled in here, since unit tests link lib/ alone.
// NOLINTBEGIN(bugprone-suspicious-include)
#include "kernel/claims/claims.c"
#include "kernel/claims/generic_block.c"
#include "kernel/claims/leaf_15.c"
#include "kernel/claims/leaf_16.c"
#include "kernel/claims/leaf_timing.c"
// NOLINTEND(bugprone-suspicious-include)
#include "tests/unit/fake_machines.h"

// The sources that ask CPUID alone; tests/sim/test_claims.c has the others, and the whole table.
const struct claim_source *const claim_table[] = {&claim_leaf_timing, &claim_generic_block,
                                                  &claim_leaf_15, &claim_leaf_16, NULL};

static struct fake_cpu cpu;
static struct platform platform;
static struct claim claims[32];
static size_t claim_count;

static void collect_from(struct cpuid_source source)
{
    platform = (struct platform){.cpuid = source};
    scan_run(&platform.scan, &platform.cpuid, false, NULL);
    cpu.read_count = 0; // what is read from here is the claims' reading
    memset(claims, 0xaa, sizeof(claims));
    claim_count = claims_collect(&platform, claims, ARRAY_SIZE(claims));
}

static void collect(enum machine_name name)
{
    collect_from(fake_start(&cpu, name));
}

static void collect_leaves(const struct fake_leaf *leaves, enum fake_beyond beyond)
{
    struct cpuid_source source = fake_start(&cpu, KVM_OFF);

    cpu.leaves = leaves;
    cpu.beyond = beyond;
    collect_from(source);
}

// The claim of a source; `nth` counts from 0 among those that are alike.
static const struct claim *claim(const char *source, enum claim_clock clock, unsigned nth)
{
    for (size_t i = 0; i < claim_count; i++)
        if (claims[i].clock == clock && text_equal(claims[i].source, source) && nth-- == 0)
            return &claims[i];
    fail_msg("%s makes no claim about %s", source, claim_clock_word(clock));
    return NULL;
}

static void check_absent(const char *source, enum claim_clock clock, const char *reason)
{
    const struct claim *found = claim(source, clock, 0);

    assert_false(found->present);
    assert_int_equal(found->millihertz, 0);
    assert_string_equal(found->reason, reason);
}

static void check_present(const char *source, enum claim_clock clock, uint64_t millihertz,
                          uint64_t granularity, const char *reason)
{
    const struct claim *found = claim(source, clock, 0);

    if (!found->present)
        fail_msg("%s is absent: %s", source, found->reason);
    assert_int_equal(found->millihertz, millihertz);
    assert_int_equal(found->granularity_millihertz, granularity);
    assert_string_equal(found->reason, reason);
}

#define KHZ 1000000u
#define MHZ 1000000000u

// The timing leaf of every machine: the rates in kHz, or why there is none.
static const struct {
    enum machine_name machine;
    uint32_t tsc_khz, bus_khz;
    const char *tsc_reason, *bus_reason;
} timing[] = {
    {KVM_TIMING, 2596130, 1000000, "", ""},
    {KVM_INTEL_TIMING, 2596130, 1000000, "", ""},
    {VMWARE, 2100000, 66000, "", ""},
    {VIRTUALBOX_MINIMAL, 2591998, 1000000, "", ""},
    {BHYVE_TIMING, 2000000, 128000, "", ""},
    {UNKNOWN_TIMING, 3000001, 25000, "", ""},
    {UNKNOWN_LONG, 3000001, 25000, "", ""},
    {ACRN, 2304000, 0, "", "EBX is zero: it is not stated"},
    {TCG_MAX, 0, 0, "max leaf 0x40000001 is below 0x40000010, which echoes leaf 0xd", NULL},
    {TCG_NO_SIGNATURE, 0, 0, "no block at 0x40000000; leaf 0x40000010 echoes leaf 0xd", NULL},
    {KVM_PLAIN, 0, 0, "max leaf 0x40000001 is below 0x40000010, which reads as zeros", NULL},
    {KVM_OLD, 0, 0, "max leaf 0x00000000 is below 0x40000010, which reads as zeros", NULL},
    {KVM_OFF, 0, 0, "no block at 0x40000000; leaf 0x40000010 reads as zeros", NULL},
    {KVM_UNDER_HYPERV, 0, 0, "max leaf 0x40000005 is below 0x40000010, which reads as zeros", NULL},
    {XEN_VIRIDIAN, 0, 0, "max leaf 0x40000006 is below 0x40000010, which reads as zeros", NULL},
    {BHYVE_OLD, 0, 0, "max leaf 0x40000000 is below 0x40000010, which repeats another leaf", NULL},
    {BHYVE_2025, 0, 0, "max leaf 0x40000001 is below 0x40000010, which repeats another leaf", NULL},
    {HAXM, 0, 0, "max leaf 0x40000000 is below 0x40000010, which reads as zeros", NULL},
    {JAILHOUSE, 0, 0, "max leaf 0x40000001 is below 0x40000010, which gives what every leaf gives",
     NULL},
    {EVMM, 0, 0, "max leaf 0x00000016 is below 0x40000010, which reads as zeros", NULL},
    {EMPTY_NO_TIMING, 0, 0, "no block at 0x40000000; leaf 0x40000010 reads as zeros", NULL},
    {BARE_INTEL, 0, 0, "no block at 0x40000000; leaf 0x40000010 echoes leaf 0x16", NULL},
    {BARE_AMD, 0, 0, "no block at 0x40000000; leaf 0x40000010 reads as zeros", NULL},
    {BOCHS, 0, 0, "no block at 0x40000000; leaf 0x40000010 echoes leaf 0x16", NULL},
    {HOST_LEAK, 0, 0, "no block at 0x40000000; leaf 0x40000010 gives what every leaf gives", NULL},
};

static void test_timing_leaf(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(timing); i++) {
        const char *bus_reason = timing[i].bus_reason ? timing[i].bus_reason : timing[i].tsc_reason;
        print_message("%s\n", machines[timing[i].machine].name);
        collect(timing[i].machine);
        if (timing[i].tsc_khz)
            check_present("leaf-0x40000010", CLAIM_TSC, (uint64_t)timing[i].tsc_khz * KHZ, KHZ,
                          timing[i].tsc_reason);
        else
            check_absent("leaf-0x40000010", CLAIM_TSC, timing[i].tsc_reason);
        if (timing[i].bus_khz)
            check_present("leaf-0x40000010", CLAIM_BUS, (uint64_t)timing[i].bus_khz * KHZ, KHZ,
                          bus_reason);
        else
            check_absent("leaf-0x40000010", CLAIM_BUS, bus_reason);
        assert_false(claim("leaf-0x40000010", CLAIM_TSC, 0)->nominal);
    }
}

// What a hypervisor may put into the leaf, with the max leaf in order.
static const struct {
    uint32_t eax, ebx;
    const char *tsc_reason, *bus_reason; // NULL: present
} values[] = {
    {0, 1000000, "EAX is zero", NULL},
    {0, 0, "EAX is zero", "EBX is zero: it is not stated"},
    {1000, 1000000, "1000 kHz is outside 100000 to 20000000 kHz", NULL},
    {99999, 999, "99999 kHz is outside 100000 to 20000000 kHz",
     "999 kHz is outside 1000 to 20000000 kHz"},
    {100000, 1000, NULL, NULL},
    {20000000, 20000000, NULL, NULL},
    {20000001, 20000001, "20000001 kHz is outside 100000 to 20000000 kHz",
     "20000001 kHz is outside 1000 to 20000000 kHz"},
    {0xffffffff, 0xffffffff, "4294967295 kHz is outside 100000 to 20000000 kHz",
     "4294967295 kHz is outside 1000 to 20000000 kHz"},
    {4294968, 66000, NULL, NULL}, // beyond 2^32 Hz
    {0x40000010, 0x4b4d564b, "1073741840 kHz is outside 100000 to 20000000 kHz",
     "1263359563 kHz is outside 1000 to 20000000 kHz"},
};

static void test_timing_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        const struct fake_leaf leaves[] = {
            AMD(0xd),
            GUEST,
            LEAF(0x40000000, 0x40000010, KVM_BYTES),
            LEAF(0x40000001, 1, 0, 0, 0),
            LEAF(0x40000010, values[i].eax, values[i].ebx, 0, 0),
            LEAVES_END,
        };
        collect_leaves(leaves, FAKE_ZEROS);
        if (values[i].tsc_reason)
            check_absent("leaf-0x40000010", CLAIM_TSC, values[i].tsc_reason);
        else
            check_present("leaf-0x40000010", CLAIM_TSC, (uint64_t)values[i].eax * KHZ, KHZ, "");
        if (values[i].bus_reason)
            check_absent("leaf-0x40000010", CLAIM_BUS, values[i].bus_reason);
        else
            check_present("leaf-0x40000010", CLAIM_BUS, (uint64_t)values[i].ebx * KHZ, KHZ, "");
    }
}

// A max leaf that promises the timing leaf, and a CPU that answers with something else.
static void test_timing_in_range_but_foreign(void **state)
{
    static const struct fake_leaf echo[] = {
        INTEL(0x16),
        GUEST,
        LEAF(0x16, 2600000, 4000, 100, 0), // would pass for a rate
        LEAF(0x40000000, 0x40000010, KVM_BYTES),
        LEAF(0x40000001, 1, 0, 0, 0),
        LEAVES_END,
    };
    static const struct fake_leaf clamp[] = {
        AMD(0xd),
        GUEST,
        LEAF(0x40000000, 0x40000010, BHYVE_BYTES),
        LEAVES_END,
    };

    (void)state;
    collect_leaves(echo, FAKE_ECHO);
    check_absent("leaf-0x40000010", CLAIM_TSC, "leaf 0x40000010 is in range, but echoes leaf 0x16");
    check_absent("leaf-0x40000010", CLAIM_BUS, "leaf 0x40000010 is in range, but echoes leaf 0x16");
    collect_leaves(clamp, FAKE_CLAMP);
    check_absent("leaf-0x40000010", CLAIM_TSC,
                 "leaf 0x40000010 is in range, but repeats another leaf");

    struct cpuid_source source = fake_start(&cpu, KVM_OFF);
    cpu.leaves = clamp;
    cpu.beyond = FAKE_CONSTANT;
    cpu.constant = (struct cpuid_words){2600000, 100000, 0, 0};
    collect_from(source);
    // The last leaf and what lies beyond it are the same here: that is a clamp, and allowed.
    check_present("leaf-0x40000010", CLAIM_TSC, 2600000ull * KHZ, KHZ, "");
}

static void test_generic_block(void **state)
{
    (void)state;
    collect(GENERIC_AT_20);
    check_present("generic-block", CLAIM_TSC, 2400000ull * KHZ, KHZ, "leaf 0x40000021");
    check_present("generic-block", CLAIM_BUS, 100000ull * KHZ, KHZ, "leaf 0x40000021");
    assert_false(claim("generic-block", CLAIM_TSC, 0)->nominal);

    collect(GENERIC_AT_100);
    check_present("generic-block", CLAIM_TSC, 2400001ull * KHZ, KHZ, "leaf 0x40000101");
    check_absent("generic-block", CLAIM_BUS, "EBX is zero: it is not stated");

    collect(GENERIC_SHORT);
    check_absent("generic-block", CLAIM_TSC, "max leaf 0x40000300 is below 0x40000301");

    collect(KVM_TIMING);
    check_absent("generic-block", CLAIM_TSC, "no block's signature begins with \"Generic\"");

    static const struct fake_leaf echo[] = {
        INTEL(0xd),
        GUEST,
        LEAF(0xd, 0x7, 0x340, 0x340, 0),
        LEAF(0x40000100, 0x40000101, GENERIC_BYTES),
        LEAVES_END,
    };
    collect_leaves(echo, FAKE_ECHO);
    check_absent("generic-block", CLAIM_TSC, "leaf 0x40000101 is in range, but echoes leaf 0xd");
}

// Generic blocks under both conventions are both judged, and no more than there is room for.
static void test_many_generic_blocks(void **state)
{
    struct fake_leaf leaves[16] = {AMD(0xd), GUEST};
    size_t count = 2;

    (void)state;
    for (uint32_t i = 0; i < 6; i++) {
        uint32_t base = 0x40000100 + i * 0x100;
        leaves[count++] = (struct fake_leaf)LEAF(base, base + 1, GENERIC_BYTES);
        leaves[count++] = (struct fake_leaf)LEAF(base + 1, 1000000 + i, 50000, 0, 0);
    }
    leaves[count] = (struct fake_leaf)LEAVES_END;
    collect_leaves(leaves, FAKE_ZEROS);
    assert_int_equal(claim_count, 2 + 2 * 4 + 2 + 2);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(claim("generic-block", CLAIM_TSC, i)->millihertz, (1000000ull + i) * KHZ);
}

// Leaf 0x15 on a CPU of a given vendor and model, with leaf 0x16 or without.
static const struct ratio_case {
    bool intel;
    uint32_t max_basic, signature;
    uint32_t eax, ebx, ecx, base_mhz;
    uint64_t tsc, tsc_step, bus, bus_step; // millihertz, 0: absent
    const char *reason;
} ratios[] = {
    // A real Ice Lake server: 25 MHz * 104.
    {true, 0x16, 0x000606c1, 1, 104, 25000000, 2600, 2600ull * MHZ, 104000, 25ull * MHZ, 1000,
     "crystal 25000000 Hz * 104 / 1"},
    {true, 0x15, 0x000806c1, 2, 126, 38400000, 0, 2419200ull * KHZ, 63000, 38400ull * KHZ, 1000,
     "crystal 38400000 Hz * 126 / 2"},
    // Skylake, Comet Lake, Goldmont Plus, Denverton, all with ECX 0.
    {true, 0x16, 0x000506e3, 2, 284, 0, 3400, 3408ull * MHZ, 142000, 24ull * MHZ, 1000,
     "crystal of Intel model 0x5e"},
    {true, 0x16, 0x000a0655, 2, 342, 0, 4100, 4104ull * MHZ, 171000, 24ull * MHZ, 1000,
     "crystal of Intel model 0xa5"},
    {true, 0x15, 0x000706a1, 3, 171, 0, 0, 1094400ull * KHZ, 57000, 19200ull * KHZ, 1000,
     "crystal of Intel model 0x7a"},
    {true, 0x15, 0x000506f1, 1, 88, 0, 0, 2200ull * MHZ, 88000, 25ull * MHZ, 1000,
     "crystal of Intel model 0x5f"},
    // Bochs: no crystal for this model, so leaf 0x16 gives it: 3500 MHz * 2 / 292.
    {true, 0x16, 0x00050654, 2, 292, 0, 3500, 3500ull * MHZ, MHZ, 23972602740, 6849316,
     "crystal from leaf 0x16, 3500 MHz"},
    // The model is Intel's: another vendor's CPU of that number has another crystal.
    {false, 0x16, 0x000506e3, 2, 284, 0, 3400, 3400ull * MHZ, MHZ, 23943661972, 7042254,
     "crystal from leaf 0x16, 3400 MHz"},
    // The same number in another family.
    {true, 0x15, 0x00050fe3, 2, 284, 0, 0, 0, 0, 0, 0,
     "ECX is zero, and neither the model nor leaf 0x16 gives the crystal"},
    {false, 0x15, 0x000506e3, 2, 284, 0, 0, 0, 0, 0, 0,
     "ECX is zero, and neither the model nor leaf 0x16 gives the crystal"},
    {true, 0x16, 0x00050654, 2, 292, 0, 0, 0, 0, 0, 0,
     "ECX is zero, and neither the model nor leaf 0x16 gives the crystal"},
    // OpenBSD vmm makes one up.
    {false, 0x15, 0, 1, 100, 25961302, 0, 2596130200000, 100000, 25961302000, 1000,
     "crystal 25961302 Hz * 100 / 1"},
    {true, 0x16, 0x000506e3, 0, 284, 0, 3400, 0, 0, 0, 0, "EAX, the denominator, is zero"},
    {true, 0x16, 0x000506e3, 2, 0, 0, 3400, 0, 0, 0, 0, "EBX, the numerator, is zero"},
};

static void test_leaf_15(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ratios); i++) {
        const struct ratio_case *ratio = &ratios[i];
        const struct fake_leaf leaves[] = {
            {0,
             0,
             {ratio->max_basic, ratio->intel ? 0x756e6547 : 0x68747541,
              ratio->intel ? 0x6c65746e : 0x444d4163, ratio->intel ? 0x49656e69 : 0x69746e65}},
            LEAF(0x1, ratio->signature, 0, 0, 0),
            LEAF(0x15, ratio->eax, ratio->ebx, ratio->ecx, 0),
            LEAF(0x16, ratio->base_mhz, 5000, 100, 0),
            LEAVES_END,
        };
        collect_leaves(leaves, FAKE_ZEROS);
        assert_true(claim("leaf-0x15", CLAIM_TSC, 0)->nominal);
        assert_true(claim("leaf-0x15", CLAIM_BUS, 0)->nominal);
        if (!ratio->tsc) {
            check_absent("leaf-0x15", CLAIM_TSC, ratio->reason);
            check_absent("leaf-0x15", CLAIM_BUS, ratio->reason);
            continue;
        }
        check_present("leaf-0x15", CLAIM_TSC, ratio->tsc, ratio->tsc_step, ratio->reason);
        check_present("leaf-0x15", CLAIM_BUS, ratio->bus, ratio->bus_step, ratio->reason);
    }
}

static void test_leaf_15_extremes(void **state)
{
    struct fake_leaf leaves[] = {INTEL(0x15), GUEST, LEAF(0x15, 1, 0xffffffff, 0xffffffff, 0),
                                 LEAVES_END};

    (void)state;
    collect_leaves(leaves, FAKE_ZEROS);
    check_absent("leaf-0x15", CLAIM_TSC, "18446744073.709552 MHz is outside 100 to 20000 MHz");
    check_present("leaf-0x15", CLAIM_BUS, 4294967295000ull, 1000,
                  "crystal 4294967295 Hz * 4294967295 / 1");

    leaves[2] = (struct fake_leaf)LEAF(0x15, 0xffffffff, 1, 1, 0);
    collect_leaves(leaves, FAKE_ZEROS);
    check_absent("leaf-0x15", CLAIM_TSC, "it states 0");
    check_absent("leaf-0x15", CLAIM_BUS, "0.000001 MHz is outside 1 to 20000 MHz");

    // Without a ratio the crystal is stated all the same.
    leaves[2] = (struct fake_leaf)LEAF(0x15, 0, 0, 19200000, 0);
    collect_leaves(leaves, FAKE_ZEROS);
    check_absent("leaf-0x15", CLAIM_TSC, "EAX, the denominator, is zero");
    check_present("leaf-0x15", CLAIM_BUS, 19200ull * KHZ, 1000, "crystal 19200000 Hz");
    leaves[2] = (struct fake_leaf)LEAF(0x15, 0, 1, 999999, 0);
    collect_leaves(leaves, FAKE_ZEROS);
    check_absent("leaf-0x15", CLAIM_BUS, "0.999999 MHz is outside 1 to 20000 MHz");
}

// Beyond the highest basic leaf there is an echo, which must not be taken for a ratio; it is not
// even read.
static void test_basic_leaves_out_of_range(void **state)
{
    static const struct fake_leaf wrong[] = {LEAF(0, 0x80000016, 0, 0, 0), GUEST, LEAVES_END};

    (void)state;
    collect(TCG_MAX);
    check_absent("leaf-0x15", CLAIM_TSC, "max basic leaf 0xd is below 0x15");
    check_absent("leaf-0x15", CLAIM_BUS, "max basic leaf 0xd is below 0x15");
    check_absent("leaf-0x16", CLAIM_TSC, "max basic leaf 0xd is below 0x16");
    assert_int_equal(cpu.read_count, 0);

    collect_leaves(wrong, FAKE_ZEROS);
    check_absent("leaf-0x15", CLAIM_TSC, "max basic leaf 0x80000016 is no basic leaf");
    check_absent("leaf-0x16", CLAIM_TSC, "max basic leaf 0x80000016 is no basic leaf");
    assert_int_equal(cpu.read_count, 0);
}

static void test_leaf_16(void **state)
{
    static const struct fake_leaf dirty[] = {INTEL(0x16), GUEST,
                                             LEAF(0x16, 0xabcd0bb8, 4000, 100, 0), LEAVES_END};

    (void)state;
    collect(BOCHS);
    check_present("leaf-0x16", CLAIM_TSC, 3500ull * MHZ, MHZ, "the CPU's base frequency");
    assert_true(claim("leaf-0x16", CLAIM_TSC, 0)->nominal);
    check_present("leaf-0x16", CLAIM_BCLK, 100ull * MHZ, MHZ, "the CPU's reference frequency");
    assert_true(claim("leaf-0x16", CLAIM_BCLK, 0)->nominal);
    collect_leaves(dirty, FAKE_ZEROS); // only bits 15:0 count
    check_present("leaf-0x16", CLAIM_TSC, 3000ull * MHZ, MHZ, "the CPU's base frequency");
    collect(OPENBSD);
    check_absent("leaf-0x16", CLAIM_TSC, "EAX is zero");
    static const struct fake_leaf absurd[] = {INTEL(0x16), GUEST, LEAF(0x16, 99, 0, 65535, 0),
                                              LEAVES_END};
    collect_leaves(absurd, FAKE_ZEROS);
    check_absent("leaf-0x16", CLAIM_TSC, "99.000000 MHz is outside 100 to 20000 MHz");
    check_absent("leaf-0x16", CLAIM_BCLK, "65535.000000 MHz is outside 1 to 20000 MHz");
}

// On every machine: nothing but what was announced is read, every claim that is absent says why,
// and no room is written that was not given.
static void test_every_machine(void **state)
{
    (void)state;
    for (unsigned name = 0; name < MACHINE_COUNT; name++) {
        collect(name);
        assert_in_range(claim_count, 6, 8);
        for (size_t i = 0; i < cpu.read_count; i++)
            assert_true(
                cpu.reads[i].subleaf == 0 && cpu.reads[i].leaf <= platform.scan.max_basic &&
                (cpu.reads[i].leaf == 1 || cpu.reads[i].leaf == 0x15 || cpu.reads[i].leaf == 0x16));
        for (size_t i = 0; i < claim_count; i++) {
            size_t length = text_length(claims[i].reason);
            assert_true(claims[i].present || length > 0);
            assert_true(length < 80);
            assert_int_equal(claims[i].present, claims[i].millihertz != 0);
            assert_true(claims[i].millihertz <= CLAIM_MILLIHERTZ_MAX);
        }
        for (size_t max = 0; max < claim_count; max++) {
            memset(claims, 0xaa, sizeof(claims));
            assert_true(claims_collect(&platform, claims, max) <= max);
            for (size_t i = 0; i < sizeof(claims[0]); i++)
                assert_int_equal(((const unsigned char *)&claims[max])[i], 0xaa);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timing_leaf),
        cmocka_unit_test(test_timing_values),
        cmocka_unit_test(test_timing_in_range_but_foreign),
        cmocka_unit_test(test_generic_block),
        cmocka_unit_test(test_many_generic_blocks),
        cmocka_unit_test(test_leaf_15),
        cmocka_unit_test(test_leaf_15_extremes),
        cmocka_unit_test(test_basic_leaves_out_of_range),
        cmocka_unit_test(test_leaf_16),
        cmocka_unit_test(test_every_machine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
