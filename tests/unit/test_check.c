#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/text.h"
#include "tests/unit/fake_checks.h"

#define MHZ 1000000000u // in millihertz
#define KHZ 1000000u
#define PPM 1000u

static struct fake_cpu cpu;
static struct scan scan;
static struct cpuid_entry leaves[512];
static struct check_input input;
static struct check checks[CHECKS_MAX];
static size_t check_count;
static bool reached[CHECKS_MAX][CHECK_SKIP + 1]; // outcomes of each rule, over all of the tests

// Scans, and keeps every leaf that was read as the kernel's log does, as far as there is room.
static void scan_machine(struct cpuid_source source, bool wide)
{
    size_t count = 0;

    scan_run(&scan, &source, wide, NULL);
    check_read(&source, &scan);
    size_t read_count = cpu.read_count;
    for (size_t i = 0; i < read_count && count < ARRAY_SIZE(leaves); i++) {
        uint32_t leaf = cpu.reads[i].leaf, subleaf = cpu.reads[i].subleaf;
        leaves[count++] =
            (struct cpuid_entry){leaf, subleaf, 1, 0, cpuid_read(&source, leaf, subleaf)};
    }
    input = (struct check_input){
        .scan = &scan,
        .leaves = leaves,
        .leaf_count = count,
        .tolerance_ppb = 50 * PPM,
    };
}

static void run_checks(void)
{
    memset(checks, 0xaa, sizeof(checks));
    check_count = check_run(&input, checks);
    for (size_t i = 0; i < check_count; i++)
        reached[i][checks[i].result] = true;
}

static void run_on(enum machine_name name)
{
    scan_machine(fake_start(&cpu, name), false);
    run_checks();
}

static void run_on_leaves(const struct fake_leaf *table, enum fake_beyond beyond)
{
    struct cpuid_source source = fake_start(&cpu, KVM_OFF);

    cpu.leaves = table;
    cpu.beyond = beyond;
    scan_machine(source, false);
    run_checks();
}

static void run_wide(const struct fake_leaf *table)
{
    struct cpuid_source source = fake_start(&cpu, KVM_OFF);

    cpu.leaves = table;
    scan_machine(source, true);
    run_checks();
}

// Takes a leaf out of what is known, as if a dump did not have it.
static void forget(uint32_t leaf)
{
    size_t count = 0;

    for (size_t i = 0; i < input.leaf_count; i++)
        if (leaves[i].leaf != leaf)
            leaves[count++] = leaves[i];
    input.leaf_count = count;
    run_checks();
}

static const struct check *find(const char *id)
{
    for (size_t i = 0; i < check_count; i++)
        if (text_equal(checks[i].rule->id, id))
            return &checks[i];
    fail_msg("no check %s", id);
    return NULL;
}

static void expect(const char *id, enum check_result result, const char *detail)
{
    const struct check *check = find(id);

    if (check->result != result)
        fail_msg("%s: %s (%s)", id, check_result_word(check->result), check->detail);
    if (detail)
        assert_string_equal(check->detail, detail);
}

// --- The machines of the field

static void test_machines(void **state)
{
    (void)state;
    assert_int_equal(ARRAY_SIZE(machines_expected), MACHINE_COUNT);
    for (size_t i = 0; i < ARRAY_SIZE(machines_expected); i++) {
        char failed[256];
        struct text text;
        run_on(machines_expected[i].machine);
        text_init(&text, failed, sizeof(failed));
        for (size_t n = 0; n < check_count; n++)
            if (checks[n].result == CHECK_FAIL)
                text_format(&text, "%s ", checks[n].rule->id);
        print_message("  %s\n", machines[machines_expected[i].machine].name);
        assert_string_equal(failed, machines_expected[i].failed);
    }
}

static void test_details(void **state)
{
    (void)state;
    run_on(TCG_MAX);
    expect("present-bit", CHECK_PASS, "set, and there is a signature leaf");
    expect("signature-printable", CHECK_PASS, "\"TCGTCGTCGTCG\"");
    expect("max-leaf-plausible", CHECK_PASS, "0x40000001");
    expect("out-of-range-answer", CHECK_FAIL,
           "the words of leaf 0xd; CPUs of AuthenticAMD give zeros");
    expect("timing-leaf-range", CHECK_FAIL,
           "a guest that does not look at the max leaf takes 543 kHz for the TSC's rate");
    expect("generic-leaves-zero", CHECK_SKIP, "no generic leaf is in range");
    run_on(KVM_OLD);
    expect("max-leaf-plausible", CHECK_FAIL, "0x00000000");
    expect("vendor-max-leaf", CHECK_PASS, NULL); // 0 is documented
    run_on(BHYVE_OLD);
    expect("signature-once", CHECK_FAIL, "0x40000000 is also at 270 other bases");
    run_on(UNKNOWN_TIMING);
    expect("generic-leaves-zero", CHECK_PASS,
           "0x40000011 holds data: no proposal says what it means");
    expect("timing-leaf-values", CHECK_PASS, "TSC 3000001 kHz, bus 25000 kHz");
    run_on(UNKNOWN_ELSEWHERE);
    expect("unknown-blocks-ignored", CHECK_PASS, "2, of which nothing else was read");
    expect("blocks-16-form", CHECK_PASS, "1 block beside 0x40000000");
    run_on(GENERIC_AT_20);
    expect("generic-block-leaf", CHECK_PASS, "1 block");
    run_on(KVM_UNDER_HYPERV);
    expect("interface-signature", CHECK_PASS, "\"Hv#1\"");
    expect("interface-max-leaf", CHECK_PASS, "max leaf 0x40000005");
    expect("hyperv-frequency-bits", CHECK_PASS, "EAX bit 11 is 0, EDX bit 8 is 0");
    run_on(BARE_AMD);
    expect("timing-leaf-range", CHECK_SKIP, "no hypervisor");
}

// --- Names

static void test_signature(void **state)
{
    (void)state;
    // A known name of which only the first eight bytes are compared: all twelve are printed.
    static const struct fake_leaf qnx[] = {
        AMD(0xd),
        GUEST,
        LEAF(0x40000000, 0x40000000, 0x51584e51, 0x53424d56, 0x00014751),
        LEAVES_END,
    };
    static const struct fake_leaf qnx_padded[] = {
        AMD(0xd),
        GUEST,
        LEAF(0x40000000, 0x40000000, 0x51584e51, 0x53424d56, 0x00004751),
        LEAVES_END,
    };

    run_on_leaves(qnx, FAKE_ZEROS);
    assert_non_null(scan.blocks[0].known);
    expect("signature-printable", CHECK_FAIL, "\"QNXQVMBSQG\\x01\"");
    run_on_leaves(qnx_padded, FAKE_ZEROS);
    expect("signature-printable", CHECK_PASS, "\"QNXQVMBSQG\"");
    // What a dump leaves out is not taken for a hypervisor that leaves it out.
    run_on(KVM_OFF);
    expect("present-bit", CHECK_FAIL, NULL);
    forget(0x40000000);
    expect("present-bit", CHECK_SKIP, "leaf 0x40000000 is not known");
    run_on(BARE_AMD);
    expect("present-bit", CHECK_PASS, "clear, and there is no signature leaf");
    expect("signature-printable", CHECK_SKIP, "leaf 0x40000000 is not implemented");
    forget(0x40000000);
    expect("present-bit", CHECK_SKIP, "leaf 0x40000000 is not known");
}

// Words beyond every range count only where they were seen.
static void test_out_of_range(void **state)
{
    (void)state;
    run_on(BHYVE_OLD);
    expect("out-of-range-answer", CHECK_FAIL, "clamp: 0x40000000 0x76796862 0x68622065 0x20657679");
    run_on(JAILHOUSE);
    expect("out-of-range-answer", CHECK_FAIL,
           "pass-through: 0x00000bb8 0x00000fa0 0x00000064 0x00000000");
    run_on(XEN_PLAIN);
    expect("out-of-range-answer", CHECK_PASS, "zeros");
    leaves[0] = (struct cpuid_entry){0x40000100, 0, 1, 0, {1, 2, 3, 4}};
    input.leaf_count = 1;
    run_checks();
    expect("out-of-range-answer", CHECK_SKIP, "no leaf beyond the ranges is known");
    // Within the range, and just beyond it: only the latter tells. Neither does a basic leaf.
    for (unsigned i = 0; i < 3; i++) {
        static const uint32_t places[] = {5, 0x40000005, 0x40000006};
        leaves[0] = (struct cpuid_entry){places[i], 0, 1, 0, {0, 0, 0, 0}};
        run_checks();
        expect("out-of-range-answer", i == 2 ? CHECK_PASS : CHECK_SKIP, NULL);
    }
    leaves[0] = (struct cpuid_entry){0x40000000, 0, 1, 0, {0, 0, 0, 0}};
    run_checks();
    expect("out-of-range-answer", CHECK_SKIP, NULL);
    run_on(KVM_INTEL);
    expect("out-of-range-answer", CHECK_PASS, "the words of leaf 0xd, as Intel's CPUs do");
    static const struct fake_leaf zhaoxin[] = {
        LEAF(0x0, 0xd, 0x68532020, 0x20206961, 0x68676e61), // "  Shanghai  "
        GUEST,
        LEAF(0xd, 0x7, 0x340, 0x340, 0),
        LEAF(0x40000000, 0x40000001, KVM_BYTES),
        LEAVES_END,
    };
    run_on_leaves(zhaoxin, FAKE_ECHO);
    expect("out-of-range-answer", CHECK_SKIP,
           "the words of leaf 0xd; what   Shanghai   gives is not known");
}

// --- The flat range

static void timing_words(uint32_t eax, uint32_t ebx, uint32_t ecx, uint32_t edx, bool is_vmware)
{
    const struct fake_leaf table[] = {
        INTEL(0xd),
        GUEST,
        is_vmware
            ? (struct fake_leaf)LEAF(0x40000000, 0x40000010, 0x61774d56, 0x4d566572, 0x65726177)
            : (struct fake_leaf)LEAF(0x40000000, 0x40000010, KVM_BYTES),
        LEAF(0x40000010, eax, ebx, ecx, edx),
        LEAVES_END,
    };

    run_on_leaves(table, FAKE_ZEROS);
}

static void test_timing_leaf(void **state)
{
    (void)state;
    timing_words(2100000, 66000, 3, 0, true);
    expect("timing-leaf-reserved", CHECK_PASS,
           "ECX 0x00000003, EDX 0x00000000, VMware's hypercall flags");
    timing_words(2100000, 66000, 4, 0, true);
    expect("timing-leaf-reserved", CHECK_FAIL, NULL);
    timing_words(2100000, 66000, 1, 0, false); // the flags are VMware's only
    expect("timing-leaf-reserved", CHECK_FAIL, NULL);
    timing_words(2100000, 66000, 0, 1, true);
    expect("timing-leaf-reserved", CHECK_FAIL, NULL);
    timing_words(2100000, 0, 0, 0, false);
    expect("timing-leaf-values", CHECK_PASS, "TSC 2100000 kHz, bus 0 kHz");
    timing_words(2100, 0, 0, 0, false); // MHz for kHz
    expect("timing-leaf-values", CHECK_FAIL, NULL);
    timing_words(2100000, 66, 0, 0, false);
    expect("timing-leaf-values", CHECK_FAIL, NULL);
    for (unsigned i = 0; i < 2; i++) { // the bounds, and one beyond
        timing_words(TIMING_TSC_KHZ_MIN - i, TIMING_BUS_KHZ_MIN, 0, 0, false);
        expect("timing-leaf-values", i ? CHECK_FAIL : CHECK_PASS, NULL);
        timing_words(TIMING_TSC_KHZ_MIN, TIMING_BUS_KHZ_MIN - i, 0, 0, false);
        expect("timing-leaf-values", i ? CHECK_FAIL : CHECK_PASS, NULL);
        timing_words(TIMING_KHZ_MAX + i, TIMING_KHZ_MAX, 0, 0, false);
        expect("timing-leaf-values", i ? CHECK_FAIL : CHECK_PASS, NULL);
        timing_words(TIMING_KHZ_MAX, TIMING_KHZ_MAX + i, 0, 0, false);
        expect("timing-leaf-values", i ? CHECK_FAIL : CHECK_PASS, NULL);
    }
    timing_words(0, 0, 0, 0, false);
    expect("timing-leaf-values", CHECK_SKIP, "0x40000010 reads as zeros: not supported");
    expect("generic-leaves-zero", CHECK_PASS, "1 up to 0x40000010 read as zeros");
}

static void test_generic_leaf_that_is_no_zero(void **state)
{
    (void)state;
    static const struct fake_leaf table[] = {
        INTEL(0xd),
        GUEST,
        LEAF(0xd, 0x7, 0x340, 0x340, 0),
        LEAF(0x40000000, 0x40000013, UNKNOWN_BYTES),
        LEAF(0x40000010, 2400000, 0, 0, 0),
        LEAVES_END,
    };

    run_on_leaves(table, FAKE_ECHO);
    expect("generic-leaves-zero", CHECK_FAIL, "0x40000011 echoes leaf 0xd");
}

// QEMU with hv-syndbg: the flat range of Hyper-V's block reaches over its debug interface.
static void test_generic_leaves_and_an_inner_block(void **state)
{
    (void)state;
    static const struct fake_leaf table[] = {
        AMD(0xd),
        GUEST,
        LEAF(0x40000000, 0x40000082, HYPERV_BYTES),
        LEAF(0x40000001, 0x31237648, 0, 0, 0),
        LEAF(0x40000080, 0x40000082, 0x7263694d, 0x666f736f, 0x53562074),
        LEAF(0x40000081, 0x31235356, 0, 0, 0),
        LEAF(0x40000082, 2, 0, 0, 0),
        LEAVES_END,
    };

    run_on_leaves(table, FAKE_ZEROS);
    for (size_t i = 0; i < check_count; i++)
        assert_int_not_equal(checks[i].result, CHECK_FAIL);
    expect("generic-leaves-zero", CHECK_PASS, "112 up to 0x40000082 read as zeros");
    expect("blocks-16-form", CHECK_PASS, "1 block beside 0x40000000");
    forget(0x40000010);
    expect("generic-leaves-zero", CHECK_SKIP, "leaf 0x40000010 is not known");
    run_on(VMWARE);
    expect("generic-leaves-zero", CHECK_PASS, "those in range are supported");
    forget(0x40000010);
    expect("generic-leaves-zero", CHECK_SKIP, "leaf 0x40000010 is not known");
    expect("timing-leaf-values", CHECK_SKIP, "leaf 0x40000010 is not known");
}

// --- Blocks

static void test_blocks(void **state)
{
    (void)state;
    static const struct fake_leaf wrong_max[] = {
        AMD(0xd),
        GUEST,
        LEAF(0x40000000, 0x40000001, UNKNOWN_BYTES),
        LEAF(0x40000100, 0x40000305, KVM_BYTES), // as QEMU would, had it forgotten the base
        LEAVES_END,
    };
    static const struct fake_leaf nameless[] = {
        AMD(0xd),
        GUEST,
        LEAF(0x40000000, 0x40000001, UNKNOWN_BYTES),
        LEAF(0x40000040, 0x40000041, 1, 2, 3),
        LEAVES_END,
    };

    run_on_leaves(wrong_max, FAKE_ZEROS);
    expect("blocks-256-form", CHECK_FAIL, "max leaf 0x40000305 at 0x40000100");
    expect("vendor-max-leaf", CHECK_PASS, NULL);
    run_on_leaves(nameless, FAKE_ZEROS);
    expect("blocks-16-form", CHECK_FAIL, "0x40000040 holds data, but no signature leaf");
    expect("blocks-256-form", CHECK_SKIP, NULL);
    run_on(KVM_PLAIN);
    expect("signature-once", CHECK_PASS, "1 block");
    leaves[0] = (struct cpuid_entry){0x40000000, 0, 1, 0, scan.first};
    input.leaf_count = 1;
    run_checks();
    expect("signature-once", CHECK_SKIP, "no other base is known");
    run_on(KVM_UNDER_HYPERV);
    expect("blocks-256-form", CHECK_PASS, "1 block beside 0x40000000");
    forget(0x40000000);
    expect("blocks-256-form", CHECK_SKIP, "leaf 0x40000000 is not known");
    // The first block's max leaf: its last leaf, and one beyond.
    for (uint32_t i = 0; i < 2; i++) {
        const struct fake_leaf table[] = {
            AMD(0xd),
            GUEST,
            LEAF(0x40000000, 0x400000ff + i, UNKNOWN_BYTES),
            LEAVES_END,
        };
        run_on_leaves(table, FAKE_ZEROS);
        expect("max-leaf-plausible", i ? CHECK_FAIL : CHECK_PASS, NULL);
    }
}

// More blocks than are remembered, each in order.
static void test_many_blocks(void **state)
{
    (void)state;
    static struct fake_leaf table[SCAN_BLOCKS_MAX + 8] = {AMD(0xd), GUEST};
    size_t count = 2;

    for (uint32_t i = 0; count < ARRAY_SIZE(table) - 1; i++, count++)
        table[count] = (struct fake_leaf){
            0x40000000 + (i << 8), 0, {0x40000001 + (i << 8), 0x6e6b6e55, 0x566e776f, 0x30304d4d}};
    table[count].leaf = FAKE_END;
    run_on_leaves(table, FAKE_ZEROS);
    assert_true(scan.blocks_dropped);
    expect("blocks-256-form", CHECK_PASS, NULL);
}

static void test_generic_block(void **state)
{
    (void)state;
    run_on(GENERIC_SHORT);
    expect("generic-block-leaf", CHECK_FAIL, "0x40000301 is above its max leaf");
    run_on(KVM_PLAIN);
    expect("generic-block-leaf", CHECK_SKIP, "no such block");
    static const struct fake_leaf zero[] = {
        AMD(0xd),
        GUEST,
        LEAF(0x40000000, 0x40000001, UNKNOWN_BYTES),
        LEAF(0x40000020, 0x40000021, GENERIC_BYTES),
        LEAVES_END,
    };
    run_on_leaves(zero, FAKE_ZEROS);
    expect("generic-block-leaf", CHECK_FAIL, "0x40000021 reads as zeros");
    run_on(GENERIC_AT_100);
    expect("generic-block-leaf", CHECK_PASS, "1 block");
    forget(0x40000101);
    expect("generic-block-leaf", CHECK_SKIP, "leaf 0x40000101 is not known");
}

static void test_vendor_spaces(void **state)
{
    (void)state;
    static const struct fake_leaf data[] = {
        AMD(0xd),
        GUEST,
        LEAF(0x40000000, 0x40000001, UNKNOWN_BYTES),
        LEAF(0x4015ad00, 0x4015ae00, UNKNOWN_BYTES), // a max leaf in the next space
        LEAVES_END,
    };
    static const struct fake_leaf known[] = {
        AMD(0xd),
        GUEST,
        LEAF(0x4015ad00, 0x4015ae00, 0x61774d56, 0x4d566572, 0x65726177),
        LEAVES_END,
    };

    run_wide(vendor_space);
    expect("vendor-space-form", CHECK_PASS, "1 vendor space");
    run_wide(known);
    expect("vendor-space-form", CHECK_FAIL, "max leaf 0x4015ae00 at 0x4015ad00");
    run_wide(data);
    expect("vendor-space-form", CHECK_FAIL, "1 base holds data, but no signature leaf");
    run_wide(kvm_plain);
    expect("vendor-space-form", CHECK_SKIP, "0 vendor spaces");
    run_on(KVM_PLAIN);
    expect("vendor-space-form", CHECK_SKIP, "scan=wide was not asked for");
}

static void test_unknown_block_that_was_read(void **state)
{
    (void)state;
    run_on(UNKNOWN_ELSEWHERE);
    leaves[input.leaf_count++] = (struct cpuid_entry){0x40000031, 0, 1, 0, {0, 0, 0, 0}};
    run_checks();
    expect("unknown-blocks-ignored", CHECK_FAIL, "0x40000031 was read");
    // Beyond a block of 16 leaves.
    leaves[input.leaf_count - 1].leaf = 0x40000041;
    run_checks();
    expect("unknown-blocks-ignored", CHECK_PASS, NULL);
    // A run of leaves that passes through the block.
    leaves[input.leaf_count - 1] = (struct cpuid_entry){0x400002f8, 0, 5, 2, {0, 0, 0, 0}};
    run_checks();
    expect("unknown-blocks-ignored", CHECK_PASS, NULL); // its signature leaf
    leaves[input.leaf_count - 1].leaf = 0x400002f9;
    run_checks();
    expect("unknown-blocks-ignored", CHECK_FAIL, "0x40000301 was read");
    // Not the bases of 16-leaf blocks that lie in a 256-leaf one, beyond the first.
    leaves[input.leaf_count - 1].leaf = 0x40000300;
    leaves[input.leaf_count - 1].stride = 0x10;
    run_checks();
    expect("unknown-blocks-ignored", CHECK_FAIL, "0x40000310 was read");
    input.is_dump = true;
    run_checks();
    expect("unknown-blocks-ignored", CHECK_SKIP, "a dump: not this program read it");
    // What the flat range of the first block covers may be read, to its last leaf.
    static const struct fake_leaf covered[] = {
        AMD(0xd),
        GUEST,
        LEAF(0x40000000, 0x40000035, UNKNOWN_BYTES),
        LEAF(0x40000030, 0x40000037, UNKNOWN_BYTES),
        LEAVES_END,
    };
    run_on_leaves(covered, FAKE_ZEROS);
    expect("unknown-blocks-ignored", CHECK_PASS, "1, of which nothing else was read");
    run_on(UNKNOWN_ELSEWHERE);
    input.leaves_dropped = 7;
    run_checks();
    expect("unknown-blocks-ignored", CHECK_SKIP, "7 reads are not on record");
}

// --- Vendors

static void test_interfaces(void **state)
{
    (void)state;
    static const struct fake_leaf no_interface[] = {
        AMD(0xd),   GUEST, LEAF(0x40000000, 0x40000006, HYPERV_BYTES), LEAF(0x40000001, 0, 0, 0, 0),
        LEAVES_END,
    };
    // No room for the interface; and the documented sign of a block of the first days.
    static const struct fake_leaf no_room[] = {
        AMD(0xd),
        GUEST,
        LEAF(0x40000000, 0x40000000, HYPERV_BYTES),
        LEAVES_END,
    };
    static const struct fake_leaf max_zero[] = {
        AMD(0xd),   GUEST, LEAF(0x40000000, 0, HYPERV_BYTES), LEAF(0x40000001, 0x31237648, 0, 0, 0),
        LEAVES_END,
    };
    static const struct fake_leaf short_interface[] = {
        AMD(0xd),
        GUEST,
        LEAF(0x40000000, 0x40000004, HYPERV_BYTES),
        LEAF(0x40000001, 0x31237648, 0, 0, 0),
        LEAVES_END,
    };

    run_on_leaves(no_interface, FAKE_ZEROS);
    expect("interface-signature", CHECK_FAIL, "0x40000001 EAX is 0x00000000, not \"Hv#1\"");
    run_on_leaves(no_room, FAKE_ZEROS);
    expect("interface-signature", CHECK_FAIL,
           "0x40000001, where \"Hv#1\" belongs, is out of range");
    run_on_leaves(max_zero, FAKE_ZEROS);
    expect("interface-signature", CHECK_PASS, "\"Hv#1\"");
    expect("interface-max-leaf", CHECK_FAIL, "max leaf 0x00000000");
    run_on_leaves(short_interface, FAKE_ZEROS);
    expect("interface-max-leaf", CHECK_FAIL, "max leaf 0x40000004");
    run_on(KVM_PLAIN);
    expect("interface-signature", CHECK_SKIP, "this vendor's interface has none");
    run_on(VIRTUALBOX_HYPERV);
    expect("interface-signature", CHECK_PASS, "\"Hv#1\"");
}

// Hyper-V's debug interface without its letters, and Apple's with them.
static void test_interfaces_elsewhere(void **state)
{
    (void)state;
    static const struct fake_leaf debug[] = {
        AMD(0xd),
        GUEST,
        LEAF(0x40000000, 0x40000005, HYPERV_BYTES),
        LEAF(0x40000001, 0x31237648, 0, 0, 0),
        LEAF(0x40000080, 0x40000082, 0x7263694d, 0x666f736f, 0x53562074),
        LEAVES_END,
    };
    static const struct fake_leaf apple[] = {
        AMD(0xd),
        GUEST,
        LEAF(0x40000000, 0x40000000, 0x6c707041, 0x5a562065, 0x00000000),
        LEAF(0x40000100, 0x40000102, 0x6c707061, 0x76702d65, 0x756e782d),
        LEAF(0x40000101, 0x31234841, 0, 0, 0), // "AH#1"
        LEAVES_END,
    };

    run_on_leaves(debug, FAKE_ZEROS);
    expect("interface-signature", CHECK_FAIL, "0x40000081 EAX is 0x00000000, not \"VS#1\"");
    forget(0x40000081);
    expect("interface-signature", CHECK_SKIP, "leaf 0x40000081 is not known");
    run_on_leaves(apple, FAKE_ZEROS);
    expect("interface-signature", CHECK_PASS, "\"AH#1\"");
    run_on(HYPERV_VS);
    expect("interface-signature", CHECK_PASS, "\"Hv#1\"");
}

static void test_vendors(void **state)
{
    (void)state;
    // Xen viridian: AccessFrequencyMsrs, but not FrequencyMsrsAvailable.
    static const struct fake_leaf viridian[] = {
        AMD(0xd),
        GUEST,
        LEAF(0x40000000, 0x40000006, HYPERV_BYTES),
        LEAF(0x40000001, 0x31237648, 0, 0, 0),
        LEAF(0x40000003, 0x0a76, 0, 0, 0),
        LEAVES_END,
    };
    static const struct fake_leaf short_xen[] = {
        AMD(0xd),
        GUEST,
        LEAF(0x40000000, 0x40000001, XEN_BYTES),
        LEAVES_END,
    };

    run_on_leaves(viridian, FAKE_ZEROS);
    expect("hyperv-frequency-bits", CHECK_FAIL, "EAX bit 11 is 1, EDX bit 8 is 0");
    run_on_leaves(short_xen, FAKE_ZEROS);
    expect("vendor-max-leaf", CHECK_FAIL, "Xen at 0x40000000 needs 0x40000002, has 0x40000001");
}

// --- Side effects

static struct cpuid_repeat repeat;

static void read_again(uint32_t leaf, struct cpuid_words first, struct cpuid_words second)
{
    struct cpuid_entry entry = {leaf, 0, 1, 0, first};

    cpuid_repeat_add(&repeat, &scan, &entry, second);
}

static void test_repeat(void **state)
{
    (void)state;
    struct cpuid_words zero = {0, 0, 0, 0}, one = {1, 0, 0, 0};

    run_on(KVM_PLAIN);
    expect("cpuid-repeatable", CHECK_SKIP, NULL);
    repeat = (struct cpuid_repeat){0};
    input.repeat = &repeat;
    read_again(0x40000000, one, one);
    read_again(1, zero, (struct cpuid_words){0, 0x02000000, 1u << 27, 0}); // APIC id, OSXSAVE
    read_again(0xd, zero, (struct cpuid_words){0, 0x340, 0, 0});
    run_checks();
    expect("cpuid-repeatable", CHECK_PASS, "3 leaves, 2 of them with bits that may change");
    read_again(1, zero, (struct cpuid_words){0, 0x00000800, 0, 0}); // the CLFLUSH size may not
    assert_int_equal(repeat.different, 1);
    read_again(0x40000002, zero, one); // KVM has no such exception
    run_checks();
    expect("cpuid-repeatable", CHECK_FAIL,
           "2 of 5 differ; 0x00000001: 00000000 00000000 00000000 00000000, then "
           "00000000 00000800 00000000 00000000");

    run_on(KVM_UNDER_HYPERV);
    repeat = (struct cpuid_repeat){0};
    read_again(0x40000002, zero, one);
    read_again(0x40000004, zero, one);
    assert_int_equal(repeat.excluded, 2);
    read_again(0x40000003, zero, one);
    assert_int_equal(repeat.different, 1);

    run_on(XEN_VIRIDIAN);
    repeat = (struct cpuid_repeat){0};
    read_again(0x40000103, zero, one);
    assert_int_equal(repeat.excluded, 1);
    read_again(0x40000104, zero, one);
    assert_int_equal(repeat.different, 1);
}

// --- Rates

static struct claim rates[] = {
    {.source = "leaf-0x40000010", .clock = CLAIM_TSC, .present = true},
    {.source = "leaf-0x40000010", .clock = CLAIM_BUS, .present = true},
    {.source = "pvclock", .clock = CLAIM_TSC, .present = true},
    {.source = "leaf-0x15", .clock = CLAIM_TSC, .present = true, .nominal = true},
    {.source = "leaf-0x15", .clock = CLAIM_BUS, .present = true, .nominal = true},
    {.source = "leaf-0x16", .clock = CLAIM_TSC, .present = true, .nominal = true},
};
enum { TIMING_TSC, TIMING_BUS, PVCLOCK, RATIO_TSC, RATIO_BUS, BASE_TSC };

static struct rate_interval tsc, bus;

// Everything agrees: 2596.130 MHz, bus 1 GHz, base 2.6 GHz.
static void sound_rates(void)
{
    static const uint64_t values[] = {2596130 * (uint64_t)KHZ, 1000000 * (uint64_t)KHZ,
                                      2596130000780,           2596130 * (uint64_t)KHZ,
                                      1000000 * (uint64_t)KHZ, 2600 * (uint64_t)MHZ};
    static const uint64_t steps[] = {KHZ, KHZ, 1, 1000, 1000, MHZ};

    run_on(KVM_TIMING);
    for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
        rates[i].present = true;
        rates[i].millihertz = values[i];
        rates[i].granularity_millihertz = steps[i];
    }
    tsc = (struct rate_interval){2596129000000, 2596131000000, 2596130000000};
    bus = (struct rate_interval){999999000000, 1000001000000, 1000000000000};
    input.claims = rates;
    input.claim_count = ARRAY_SIZE(rates);
    input.tsc = &tsc;
    input.bus = &bus;
}

static void expect_rates(const char *id, enum check_result result, const char *detail)
{
    run_checks();
    expect(id, result, detail);
}

static void test_claims_agree(void **state)
{
    (void)state;
    sound_rates();
    expect_rates("claims-agree", CHECK_PASS, "it agrees with 1 other claim");
    rates[PVCLOCK].millihertz += 2 * (uint64_t)KHZ;
    expect_rates("claims-agree", CHECK_FAIL,
                 "tsc: leaf-0x40000010 2596.130000 MHz, pvclock 2596.132001 MHz");
    rates[PVCLOCK].present = false;
    expect_rates("claims-agree", CHECK_SKIP, "no two claims to compare");
}

static void test_bus_claim(void **state)
{
    (void)state;
    sound_rates();
    expect_rates("bus-claim", CHECK_PASS,
                 "bus: leaf-0x40000010 1000.000000 MHz, measured 1000.000000 MHz");
    rates[TIMING_BUS].millihertz = 66000 * (uint64_t)KHZ;
    expect_rates("bus-claim", CHECK_FAIL,
                 "bus: leaf-0x40000010 66.000000 MHz, measured 1000.000000 MHz");
    bus.low = MHZ;
    expect_rates("bus-claim", CHECK_SKIP,
                 "bus: leaf-0x40000010 66.000000 MHz, measured 1000.000000 MHz: too wide to tell");
    input.bus = NULL;
    expect_rates("bus-claim", CHECK_SKIP, "the LAPIC timer was not measured");
    rates[TIMING_BUS].present = false;
    expect_rates("bus-claim", CHECK_SKIP, "no bus rate is claimed");
}

static void test_invariant_tsc(void **state)
{
    (void)state;
    sound_rates();
    expect_rates("invariant-tsc", CHECK_SKIP, "leaf 0x80000007 is not there");
    leaves[input.leaf_count++] = (struct cpuid_entry){0x80000007, 0, 1, 0, {0, 0, 0, 0}};
    expect_rates("invariant-tsc", CHECK_SKIP, "the bit is clear: nothing is promised");
    leaves[input.leaf_count - 1].words.edx = 0x100;
    expect_rates("invariant-tsc", CHECK_PASS, "the bit is set, and the rate was constant");
    input.tsc_broken = "the TSC stepped";
    expect_rates("invariant-tsc", CHECK_FAIL, "the bit is set, but the TSC stepped");
    input.tsc_broken = NULL;
    input.tsc = NULL;
    expect_rates("invariant-tsc", CHECK_SKIP, "the bit is set; the TSC was not measured");
}

static void test_leaks(void **state)
{
    (void)state;
    sound_rates();
    expect_rates("leaf-0x15-leak", CHECK_PASS, NULL);
    expect("leaf-0x16-leak", CHECK_PASS, NULL); // 0.15 % off is a product's name
    // What a crystal and NTP may do is no leak, however narrow the tolerance of verdicts.
    rates[RATIO_TSC].millihertz = 2596130 * (uint64_t)KHZ / 1000000 * (1000000 + 600);
    expect_rates("leaf-0x15-leak", CHECK_PASS, NULL);
    rates[RATIO_TSC].millihertz = 2596130 * (uint64_t)KHZ / 1000000 * (1000000 + 1100);
    expect_rates("leaf-0x15-leak", CHECK_FAIL, NULL);
    input.tolerance_ppb = 2000 * PPM;
    expect_rates("leaf-0x15-leak", CHECK_PASS, NULL);
    sound_rates();
    // One of the two rates is enough, and is the one that is named.
    rates[TIMING_TSC].present = false;
    input.tsc = NULL;
    expect_rates("leaf-0x15-leak", CHECK_PASS,
                 "bus: leaf-0x15 1000.000000 MHz, measured 1000.000000 MHz");
    sound_rates();
    rates[TIMING_BUS].present = false;
    input.bus = NULL;
    expect_rates("leaf-0x15-leak", CHECK_PASS,
                 "tsc: leaf-0x15 2596.130000 MHz, measured 2596.130000 MHz");
    sound_rates();
    // The host's crystal, the LAPIC timer is another one: bhyve.
    rates[RATIO_BUS].millihertz = 24 * (uint64_t)MHZ;
    expect_rates("leaf-0x15-leak", CHECK_FAIL,
                 "bus: leaf-0x15 24.000000 MHz, measured 1000.000000 MHz");
    // A scaled TSC with the host's ratio: 2.8 times.
    rates[RATIO_TSC].millihertz = 7269 * (uint64_t)MHZ;
    rates[BASE_TSC].millihertz = 3500 * (uint64_t)MHZ;
    expect_rates("leaf-0x15-leak", CHECK_FAIL,
                 "tsc: leaf-0x15 7269.000000 MHz, measured 2596.130000 MHz");
    expect("leaf-0x16-leak", CHECK_FAIL, NULL);
    // Without a measurement the timing leaf is what it must agree with.
    input.tsc = input.bus = NULL;
    expect_rates("leaf-0x15-leak", CHECK_FAIL,
                 "tsc: leaf-0x15 7269.000000 MHz, leaf-0x40000010 2596.130000 MHz");
    rates[TIMING_TSC].present = rates[TIMING_BUS].present = false;
    expect_rates("leaf-0x15-leak", CHECK_SKIP, "nothing to compare it with");
    rates[RATIO_TSC].present = rates[RATIO_BUS].present = false;
    expect_rates("leaf-0x15-leak", CHECK_SKIP, "it states no rate");
    scan.present = false;
    scan.block_count = 0;
    expect_rates("leaf-0x15-leak", CHECK_SKIP, "no hypervisor");
}

// --- The table

static void test_ids(void **state)
{
    (void)state;
    run_on(KVM_PLAIN);
    assert_int_equal(check_count, CHECKS_MAX);
    for (size_t i = 0; i < check_count; i++) {
        assert_true(check_exists(checks[i].rule->id));
        // As a subject of expect=, which holds 31 characters.
        assert_in_range(text_length(checks[i].rule->id), 3, 31);
        // With "        rule:  " in front it fits on a line of the report.
        assert_in_range(text_length(checks[i].rule->explanation), 10, 85);
        for (size_t n = 0; n < i; n++)
            assert_string_not_equal(checks[i].rule->id, checks[n].rule->id);
    }
    assert_false(check_exists("present"));
    assert_false(check_exists(""));
}

// Nothing is known: nothing is said.
static void test_nothing_known(void **state)
{
    (void)state;
    run_on(KVM_PLAIN);
    input.leaf_count = 0;
    run_checks();
    expect("present-bit", CHECK_SKIP, "leaf 1 is not known");
    expect("signature-printable", CHECK_SKIP, "leaf 0x40000000 is not known");
    expect("out-of-range-answer", CHECK_SKIP, "no leaf beyond the ranges is known");
    expect("timing-leaf-range", CHECK_SKIP, "leaf 0x40000010 is not known");
    expect("interface-signature", CHECK_SKIP, "leaf 0x40000001 is not known");
}

// The last: every rule has passed, failed and been skipped above.
static void test_every_outcome(void **state)
{
    (void)state;
    for (size_t i = 0; i < CHECKS_MAX; i++)
        for (enum check_result result = CHECK_PASS; result <= CHECK_SKIP; result++)
            if (!reached[i][result])
                fail_msg("%s: no %s", checks[i].rule->id, check_result_word(result));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machines),
        cmocka_unit_test(test_details),
        cmocka_unit_test(test_timing_leaf),
        cmocka_unit_test(test_generic_leaf_that_is_no_zero),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_unknown_block_that_was_read),
        cmocka_unit_test(test_interfaces),
        cmocka_unit_test(test_interfaces_elsewhere),
        cmocka_unit_test(test_vendors),
        cmocka_unit_test(test_repeat),
        cmocka_unit_test(test_claims_agree),
        cmocka_unit_test(test_bus_claim),
        cmocka_unit_test(test_invariant_tsc),
        cmocka_unit_test(test_leaks),
        cmocka_unit_test(test_signature),
        cmocka_unit_test(test_out_of_range),
        cmocka_unit_test(test_generic_leaves_and_an_inner_block),
        cmocka_unit_test(test_many_blocks),
        cmocka_unit_test(test_generic_block),
        cmocka_unit_test(test_vendor_spaces),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_nothing_known),
        cmocka_unit_test(test_every_outcome),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
