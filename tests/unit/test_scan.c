#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/scan.h"
#include "lib/text.h"
#include "tests/unit/fake_machines.h"

static struct fake_cpu cpu;
static struct scan scan;

static void run(enum machine_name name, bool wide)
{
    struct cpuid_source source = fake_start(&cpu, name);

    scan_run(&scan, &source, wide, NULL);
}

// What each machine must be found to be. `vendor` is that of the block at 0x40000000: NULL if there
// is no such block, "?" if its signature is unknown. `repeats` are those of the first block.
static const struct expectation {
    const char *vendor, *interface;
    size_t blocks;
    unsigned repeats;
    uint32_t last_leaf; // of the first block
    enum cpuid_answer out_of_range, timing_answer;
    bool present, timing_in_range;
} expected[MACHINE_COUNT] = {
    [TCG_MAX] = {"QEMU TCG", "", 1, 0, 0x40000001, ANSWER_ECHO, ANSWER_ECHO, true, false},
    [TCG_NO_BIT] = {"QEMU TCG", "", 1, 0, 0x40000001, ANSWER_ECHO, ANSWER_ECHO, false, false},
    [TCG_NO_SIGNATURE] = {NULL, "", 0, 0, 0, ANSWER_ECHO, ANSWER_ECHO, true, false},
    [KVM_PLAIN] = {"KVM", "", 1, 0, 0x40000001, ANSWER_ZEROS, ANSWER_ZEROS, true, false},
    [KVM_TIMING] = {"KVM", "", 1, 0, 0x40000010, ANSWER_ZEROS, ANSWER_DATA, true, true},
    [KVM_INTEL] = {"KVM", "", 1, 0, 0x40000001, ANSWER_ECHO, ANSWER_ECHO, true, false},
    [KVM_INTEL_TIMING] = {"KVM", "", 1, 0, 0x40000010, ANSWER_ZEROS, ANSWER_DATA, true, true},
    [KVM_OLD] = {"KVM", "", 1, 0, 0x40000001, ANSWER_ZEROS, ANSWER_ZEROS, true, false},
    [KVM_OFF] = {NULL, "", 0, 0, 0, ANSWER_ZEROS, ANSWER_ZEROS, true, false},
    [KVM_UNDER_HYPERV] = {"Hyper-V", "Hv#1", 2, 0, 0x40000005, ANSWER_ZEROS, ANSWER_ZEROS, true,
                          false},
    [HYPERV_VS] = {"Hyper-V", "Hv#1", 2, 0, 0x4000000b, ANSWER_ECHO, ANSWER_ECHO, true, false},
    [XEN_PLAIN] = {"Xen", "", 1, 0, 0x40000005, ANSWER_ZEROS, ANSWER_ZEROS, true, false},
    [XEN_VIRIDIAN] = {"Hyper-V", "Hv#1", 2, 0, 0x40000006, ANSWER_ZEROS, ANSWER_ZEROS, true, false},
    [VMWARE] = {"VMware", "", 1, 0, 0x40000010, ANSWER_ECHO, ANSWER_DATA, true, true},
    [VIRTUALBOX_MINIMAL] = {"?", "", 1, 0, 0x40000010, ANSWER_ZEROS, ANSWER_DATA, true, true},
    [VIRTUALBOX_HYPERV] = {"VirtualBox", "Hv#1", 1, 0, 0x40000006, ANSWER_ZEROS, ANSWER_ZEROS, true,
                           false},
    [EMPTY_NO_TIMING] = {NULL, "", 0, 0, 0, ANSWER_ZEROS, ANSWER_ZEROS, true, false},
    // 255 bases of 256 leaves and 15 of 16 leaves give the signature again.
    [BHYVE_OLD] = {"bhyve", "", 1, 270, 0x40000000, ANSWER_CLAMP, ANSWER_CLAMP, true, false},
    [BHYVE_2025] = {"bhyve", "", 1, 0, 0x40000001, ANSWER_CLAMP, ANSWER_CLAMP, true, false},
    [BHYVE_TIMING] = {"bhyve", "", 1, 0, 0x40000010, ANSWER_CLAMP, ANSWER_DATA, true, true},
    [HAXM] = {"HAXM", "", 1, 0, 0x40000000, ANSWER_ZEROS, ANSWER_ZEROS, true, false},
    [ACRN] = {"ACRN", "", 1, 0, 0x40000010, ANSWER_PASS_THROUGH, ANSWER_DATA, true, true},
    [JAILHOUSE] = {"Jailhouse", "", 1, 0, 0x40000001, ANSWER_PASS_THROUGH, ANSWER_PASS_THROUGH,
                   true, false},
    [OPENBSD] = {"OpenBSD vmm", "", 2, 0, 0x40000001, ANSWER_ZEROS, ANSWER_ZEROS, true, false},
    [EVMM] = {"Intel KGT", "", 1, 0, 0x40000000, ANSWER_ZEROS, ANSWER_ZEROS, true, false},
    [NVMM] = {"NVMM", "", 1, 0, 0x40000000, ANSWER_ZEROS, ANSWER_ZEROS, true, false},
    [NVMM_OLD] = {"NVMM", "", 1, 0, 0x40000000, ANSWER_PASS_THROUGH, ANSWER_PASS_THROUGH, true,
                  false},
    [BARE_INTEL] = {NULL, "", 0, 0, 0, ANSWER_ECHO, ANSWER_ECHO, false, false},
    [BARE_AMD] = {NULL, "", 0, 0, 0, ANSWER_ZEROS, ANSWER_ZEROS, false, false},
    [BOCHS] = {NULL, "", 0, 0, 0, ANSWER_ECHO, ANSWER_ECHO, false, false},
    [HOST_LEAK] = {NULL, "", 0, 0, 0, ANSWER_PASS_THROUGH, ANSWER_PASS_THROUGH, true, false},
    [UNKNOWN_TIMING] = {"?", "", 1, 0, 0x40000012, ANSWER_ZEROS, ANSWER_DATA, true, true},
    [UNKNOWN_LONG] = {"?", "", 1, 0, 0x400000ff, ANSWER_ZEROS, ANSWER_DATA, true, true},
    [UNKNOWN_ZERO] = {"?", "", 1, 0, 0x40000000, ANSWER_ZEROS, ANSWER_ZEROS, true, false},
    [GENERIC_AT_20] = {"?", "", 2, 0, 0x40000001, ANSWER_ZEROS, ANSWER_ZEROS, true, false},
    [GENERIC_AT_100] = {"KVM", "", 2, 0, 0x40000001, ANSWER_ECHO, ANSWER_ECHO, true, false},
    [GENERIC_SHORT] = {NULL, "", 1, 0, 0x40000300, ANSWER_ZEROS, ANSWER_ZEROS, true, false},
    [UNKNOWN_ELSEWHERE] = {"KVM", "", 3, 0, 0x40000001, ANSWER_ZEROS, ANSWER_ZEROS, true, false},
    [VENDOR_SPACE] = {NULL, "", 0, 0, 0, ANSWER_ZEROS, ANSWER_ZEROS, true, false},
};

static void check_machine(enum machine_name name)
{
    const struct expectation *want = &expected[name];
    const struct block *block = scan_main_block(&scan);

    assert_int_equal(scan.present, want->present);
    assert_int_equal(scan.out_of_range, want->out_of_range);
    assert_int_equal(scan.block_count, want->blocks);
    assert_int_equal(scan.blocks_dropped, 0);
    assert_int_equal(block != NULL, want->vendor != NULL);
    if (block && block->known)
        assert_string_equal(block->known->vendor, want->vendor);
    else if (block)
        assert_string_equal("?", want->vendor);
    if (scan.block_count) {
        assert_int_equal(scan.blocks[0].last_leaf, want->last_leaf);
        assert_int_equal(scan.blocks[0].repeats, want->repeats);
    }
    assert_int_equal(scan.max_leaf, block ? block->words.eax : 0);
    assert_int_equal(scan.timing_answer, want->timing_answer);
    assert_int_equal(scan.timing_in_range, want->timing_in_range);
    assert_string_equal(scan.interface_signature, want->interface);
}

// Whether the rules of docs/scan.md allow a read, worked out from the machine and not from the
// scan's code: only the conclusions of the scan are used.
static bool may_be_read(uint32_t leaf, uint32_t subleaf, bool wide)
{
    const struct block *main_block = scan_main_block(&scan);

    if (leaf == scan.max_basic && leaf < 0x40000000)
        return subleaf <= 1;
    if (leaf == 0x4fffffff)
        return subleaf <= 1;
    if (subleaf)
        return false;
    if (leaf <= 1 || leaf == 0x4ffffffe)
        return true;
    if ((leaf & 0xffffff0f) == 0x40000000 || (leaf & 0xffff00ff) == 0x40000000)
        return true;
    if (wide && (leaf & 0xff0000ff) == 0x40000000)
        return true;
    for (size_t i = 0; i < scan.block_count; i++)
        if (scan.blocks[i].generic && leaf == scan.blocks[i].base + 1 &&
            leaf <= scan.blocks[i].last_leaf)
            return true;
    if (!main_block || leaf > main_block->last_leaf || leaf > 0x400000ff)
        return false;
    return leaf == 0x40000001 || leaf >= 0x40000010 ||
           (main_block->known && leaf == main_block->last_leaf);
}

static void check_invariants(bool wide)
{
    for (size_t i = 0; i < cpu.read_count; i++)
        if (!may_be_read(cpu.reads[i].leaf, cpu.reads[i].subleaf, wide))
            fail_msg("leaf 0x%08x sub-leaf %u was read", cpu.reads[i].leaf, cpu.reads[i].subleaf);
    for (unsigned kind = 0; kind < SCAN_KINDS; kind++) {
        const struct scan_finding *finding = &scan.findings[kind];
        unsigned sum = finding->found;
        for (unsigned answer = 0; answer <= ANSWER_PASS_THROUGH; answer++)
            sum += finding->answers[answer];
        assert_int_equal(sum, finding->bases);
        assert_true(text_length(finding->text) > 20);
        assert_true(text_length(finding->text) < sizeof(finding->text) - 1);
    }
    for (size_t i = 0; i < scan.block_count; i++) {
        const struct block *block = &scan.blocks[i];
        assert_true(block->last_leaf >= block->base);
        assert_true(block->last_leaf <= block->base + 0xff);
        assert_true(text_length(block->note) < sizeof(block->note) - 1);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(scan.blocks[j].base, block->base);
    }
}

static void test_every_machine(void **state)
{
    (void)state;
    for (unsigned name = 0; name < MACHINE_COUNT; name++) {
        run(name, false);
        print_message("%s\n", machines[name].name);
        check_machine(name);
        check_invariants(false);
        assert_int_equal(scan.findings[SCAN_BLOCKS16].bases, 16);
        assert_int_equal(scan.findings[SCAN_BLOCKS256].bases, 256);
        assert_false(scan.findings[SCAN_WIDE].ran);
    }
}

static void test_cpu_vendor(void **state)
{
    (void)state;
    run(TCG_MAX, false);
    assert_string_equal(scan.cpu_vendor, "AuthenticAMD");
    assert_int_equal(scan.max_basic, 0xd);
    run(BOCHS, false);
    assert_string_equal(scan.cpu_vendor, "GenuineIntel");
}

static const struct block *block_at(uint32_t base)
{
    for (size_t i = 0; i < scan.block_count; i++)
        if (scan.blocks[i].base == base)
            return &scan.blocks[i];
    fail_msg("there is no block at 0x%08x", base);
    return NULL;
}

// Both interfaces of a stack are found, and who runs the guest is told from who it looks like.
static void test_stacked(void **state)
{
    (void)state;
    run(KVM_UNDER_HYPERV, false);
    assert_string_equal(block_at(0x40000100)->known->vendor, "KVM");
    assert_int_equal(block_at(0x40000100)->scan, SCAN_BLOCKS256);
    assert_true(scan_has_vendor(&scan, "Hyper-V") && scan_has_vendor(&scan, "hyper-v"));
    assert_true(scan_has_vendor(&scan, "KVM") && scan_has_vendor(&scan, "kvm"));
    assert_false(scan_has_vendor(&scan, "Xen") || scan_has_vendor(&scan, ""));
    assert_string_equal(scan_vendor(&scan)->vendor, "KVM");
    assert_int_equal(scan.findings[SCAN_BLOCKS256].found, 2);

    run(XEN_VIRIDIAN, false);
    assert_string_equal(scan_vendor(&scan)->vendor, "Xen");
    assert_int_equal(block_at(0x40000100)->last_leaf, 0x40000105);

    // Here the second interface is the borrowed one.
    run(OPENBSD, false);
    assert_string_equal(scan_vendor(&scan)->vendor, "OpenBSD vmm");
    assert_true(scan_has_vendor(&scan, "kvm"));

    run(HYPERV_VS, false);
    assert_string_equal(scan_vendor(&scan)->vendor, "Hyper-V");
    assert_int_equal(block_at(0x40000080)->scan, SCAN_BLOCKS16);
    assert_false(fake_was_read(&cpu, 0x40000081));

    run(UNKNOWN_TIMING, false);
    assert_null(scan_vendor(&scan));
    assert_true(scan_has_vendor(&scan, "UnknownVMM42"));
}

static void test_max_leaf_made_plausible(void **state)
{
    (void)state;
    run(KVM_OLD, false);
    assert_string_equal(scan_main_block(&scan)->note, "max leaf 0: read as 0x40000001");
    assert_int_equal(scan.max_leaf, 0);
    assert_true(fake_was_read(&cpu, 0x40000001));

    run(EVMM, false);
    assert_string_equal(scan_main_block(&scan)->note,
                        "max leaf 0x16 is the highest basic leaf: nothing above is read");
    assert_false(fake_was_read(&cpu, 0x40000001));

    run(NVMM_OLD, false);
    assert_string_equal(scan_main_block(&scan)->note,
                        "max leaf 0xdac is not in this block: nothing above is read");

    // Shown, so that the report helps whoever wrote it, but not followed.
    run(UNKNOWN_ZERO, false);
    assert_string_equal(scan_main_block(&scan)->note,
                        "max leaf 0x0 is not in this block: nothing above is read");
    assert_false(fake_was_read(&cpu, 0x40000001));

    run(UNKNOWN_LONG, false);
    assert_string_equal(scan_main_block(&scan)->note,
                        "max leaf 0x40000200 is beyond this block: read as 0x400000ff");
    assert_true(fake_was_read(&cpu, 0x400000ff));
    assert_false(fake_was_read(&cpu, 0x40000101));

    run(VIRTUALBOX_MINIMAL, false);
    assert_true(text_starts_with(scan_main_block(&scan)->note, "no signature: "));
    assert_false(scan_has_vendor(&scan, ""));
}

// The generic range and leaf 0x40000001 are read under an unknown vendor at 0x40000000, but none of
// the leaves between them, and nothing of an unknown block elsewhere.
static void test_unknown_is_not_touched(void **state)
{
    (void)state;
    run(UNKNOWN_TIMING, false);
    assert_true(fake_was_read(&cpu, 0x40000001));
    for (uint32_t leaf = 0x40000002; leaf <= 0x4000000f; leaf++)
        assert_false(fake_was_read(&cpu, leaf));
    for (uint32_t leaf = 0x40000010; leaf <= 0x40000012; leaf++)
        assert_true(fake_was_read(&cpu, leaf));
    assert_false(fake_was_read(&cpu, 0x40000013));
    assert_int_equal(scan.interface_words, 0x1234);

    run(UNKNOWN_ELSEWHERE, false);
    assert_null(block_at(0x40000030)->known);
    assert_int_equal(block_at(0x40000030)->scan, SCAN_BLOCKS16);
    assert_int_equal(block_at(0x40000030)->last_leaf, 0x40000035);
    assert_null(block_at(0x40000300)->known);
    for (uint32_t offset = 1; offset <= 0xf; offset++) {
        assert_false(fake_was_read(&cpu, 0x40000030 + offset));
        assert_false(fake_was_read(&cpu, 0x40000300 + offset));
    }
}

static void test_generic_blocks(void **state)
{
    (void)state;
    run(GENERIC_AT_20, false);
    assert_true(block_at(0x40000020)->generic);
    assert_int_equal(block_at(0x40000020)->scan, SCAN_BLOCKS16);
    assert_true(block_at(0x40000020)->next_read);
    assert_int_equal(block_at(0x40000020)->next.eax, 2400000);
    assert_int_equal(scan_answer_within(&scan, block_at(0x40000020), block_at(0x40000020)->next),
                     ANSWER_DATA);

    run(GENERIC_AT_100, false);
    assert_int_equal(block_at(0x40000100)->scan, SCAN_BLOCKS256);
    assert_int_equal(block_at(0x40000100)->next.eax, 2400001);

    run(GENERIC_SHORT, false);
    assert_false(block_at(0x40000300)->next_read);
    assert_false(fake_was_read(&cpu, 0x40000301));
}

static void test_echo_follows_the_subleaf(void **state)
{
    (void)state;
    run(TCG_MAX, false);
    assert_true(scan.echo_subleaf);
    run(BOCHS, false); // leaf 0x16 has no sub-leaves
    assert_false(scan.echo_subleaf);
    run(KVM_PLAIN, false);
    assert_false(scan.echo_subleaf);

    // The highest basic leaf is zero in sub-leaf 0, and only there.
    static const struct fake_leaf hidden[] = {
        INTEL(0x14),
        GUEST,
        LEAF(0x14, 0, 0, 0, 0),
        SUBLEAF(0x14, 1, 2, 3, 0, 0),
        LEAF(0x40000000, 0x40000001, KVM_BYTES),
        LEAVES_END,
    };
    struct cpuid_source source = fake_start(&cpu, TCG_MAX);
    cpu.leaves = hidden;
    scan_run(&scan, &source, false, NULL);
    assert_int_equal(scan.out_of_range, ANSWER_ECHO);
    assert_true(scan.echo_subleaf);
}

static void test_texts(void **state)
{
    char answer[SCAN_ANSWER_SIZE];

    (void)state;
    run(KVM_TIMING, false);
    assert_string_equal(
        scan.findings[SCAN_FLAT].text,
        "leaves up to 0x40000010 are valid, the timing leaf at 0x40000010 among them");
    assert_string_equal(scan.findings[SCAN_BLOCKS16].text,
                        "1 block at 16 bases; 1 holds data, 14 read as zeros");
    assert_string_equal(scan.findings[SCAN_BLOCKS256].text,
                        "1 block at 256 bases; the others read as zeros");
    assert_string_equal(
        scan.findings[SCAN_INTERFACE].text,
        "leaf 0x40000001 names no interface (0x0100007b), as usual outside Hyper-V");
    assert_string_equal(scan.findings[SCAN_WIDE].text,
                        "not asked for: scan=wide reads 65536 bases");

    run(TCG_MAX, false);
    assert_string_equal(
        scan.findings[SCAN_FLAT].text,
        "leaves up to 0x40000001 are valid; the generic range at 0x40000010 is not among them");
    assert_string_equal(scan.findings[SCAN_BLOCKS256].text,
                        "1 block at 256 bases; the others echo leaf 0xd");
    assert_string_equal(scan_answer_text(&scan, ANSWER_ECHO, answer), "echoes leaf 0xd");

    run(BHYVE_OLD, false);
    assert_string_equal(scan.findings[SCAN_BLOCKS256].text,
                        "1 block at 256 bases; the others repeat another leaf");
    assert_string_equal(scan.findings[SCAN_INTERFACE].text,
                        "leaf 0x40000001 was not read: it is above the max leaf");

    run(BOCHS, false);
    assert_string_equal(scan.findings[SCAN_FLAT].text,
                        "leaf 0x40000000 is no signature leaf: it echoes leaf 0x16");
    assert_string_equal(scan.findings[SCAN_BLOCKS16].text,
                        "no block at 16 bases; all echo leaf 0x16");
    assert_string_equal(scan.findings[SCAN_INTERFACE].text,
                        "leaf 0x40000001 was not read: there is no block at 0x40000000");

    run(HYPERV_VS, false);
    assert_string_equal(scan.findings[SCAN_INTERFACE].text,
                        "leaf 0x40000001 says \"Hv#1\", the interface of Hyper-V");

    run(EMPTY_NO_TIMING, false);
    assert_string_equal(scan.findings[SCAN_FLAT].text,
                        "leaf 0x40000000 is no signature leaf: it holds data");
}

static void test_words(void **state)
{
    (void)state;
    assert_string_equal(cpuid_answer_word(ANSWER_DATA), "data");
    assert_string_equal(cpuid_answer_word(ANSWER_ZEROS), "zeros");
    assert_string_equal(cpuid_answer_word(ANSWER_ECHO), "echo");
    assert_string_equal(cpuid_answer_word(ANSWER_CLAMP), "clamp");
    assert_string_equal(cpuid_answer_word(ANSWER_PASS_THROUGH), "pass-through");
    assert_string_equal(scan_kind_word(SCAN_FLAT), "flat");
    assert_string_equal(scan_kind_word(SCAN_BLOCKS16), "blocks16");
    assert_string_equal(scan_kind_word(SCAN_BLOCKS256), "blocks256");
    assert_string_equal(scan_kind_word(SCAN_INTERFACE), "interface");
    assert_string_equal(scan_kind_word(SCAN_WIDE), "wide");
}

static unsigned progress_calls, progress_last;

static void count_progress(unsigned done, unsigned total)
{
    assert_int_equal(total, 65536);
    assert_true(done == 0 ? progress_calls == 0 : done > progress_last);
    progress_calls++;
    progress_last = done;
}

static void test_wide(void **state)
{
    struct cpuid_source source = fake_start(&cpu, VENDOR_SPACE);

    (void)state;
    progress_calls = progress_last = 0;
    scan_run(&scan, &source, true, count_progress);
    assert_int_equal(progress_calls, 17);
    assert_int_equal(progress_last, 65536);
    check_invariants(true);
    assert_int_equal(scan.block_count, 1);
    assert_int_equal(block_at(0x4015ad00)->scan, SCAN_WIDE);
    assert_string_equal(block_at(0x4015ad00)->note, "in the space of PCI vendor 0x15ad");
    assert_int_equal(scan.findings[SCAN_WIDE].bases, 65536);
    assert_string_equal(scan.findings[SCAN_WIDE].text,
                        "1 block at 65536 bases; the others read as zeros");
    assert_false(fake_was_read(&cpu, 0x4015ad01));

    // A clamp repeats its block 65535 + 15 times, and is still one block.
    run(BHYVE_OLD, true);
    check_invariants(true);
    assert_int_equal(scan.block_count, 1);
    assert_int_equal(scan.blocks[0].repeats, 65535 + 15);
}

static void run_leaves(const struct fake_leaf *leaves, enum fake_beyond beyond,
                       struct cpuid_words constant)
{
    struct cpuid_source source = fake_start(&cpu, KVM_OFF);

    cpu.leaves = leaves;
    cpu.beyond = beyond;
    cpu.constant = constant;
    scan_run(&scan, &source, false, NULL);
    check_invariants(false);
}

// The highest basic leaf happens to look like a signature leaf.
static void test_echo_of_text(void **state)
{
    static const struct fake_leaf leaves[] = {INTEL(0x16), BARE,
                                              LEAF(0x16, 0x40000010, UNKNOWN_BYTES), LEAVES_END};

    (void)state;
    run_leaves(leaves, FAKE_ECHO, (struct cpuid_words){0});
    assert_int_equal(scan.block_count, 0);
    assert_int_equal(scan.timing_answer, ANSWER_ECHO);
}

// Without a signature the timing leaf must be right; a single character is no name; a name is one
// whatever stands where its spelling is not established.
static void test_doubtful_signatures(void **state)
{
    static const struct fake_leaf slow[] = {AMD(0xd), GUEST, LEAF(0x40000000, 0x40000010, 0, 0, 0),
                                            LEAF(0x40000010, 543, 576, 0, 0), LEAVES_END};
    static const struct fake_leaf character[] = {
        AMD(0xd), GUEST, LEAF(0x40000000, 0x40000200, 0x41, 0, 0), LEAVES_END};
    static const struct fake_leaf qnx[] = {
        AMD(0xd), GUEST, LEAF(0x40000000, 0x40000000, 0x51584e51, 0x53424d56, 0xfffffeff),
        LEAVES_END};

    (void)state;
    run_leaves(slow, FAKE_ZEROS, (struct cpuid_words){0});
    assert_int_equal(scan.block_count, 0);
    run_leaves(character, FAKE_ZEROS, (struct cpuid_words){0});
    assert_int_equal(scan.block_count, 0);
    run_leaves(qnx, FAKE_ZEROS, (struct cpuid_words){0});
    assert_string_equal(scan_main_block(&scan)->known->vendor, "QNX");
}

// One far leaf with data of its own is not what every leaf gives.
static void test_one_far_leaf(void **state)
{
    static const struct fake_leaf leaves[] = {AMD(0xd), GUEST, LEAF(0x4fffffff, 1, 2, 3, 4),
                                              LEAVES_END};

    (void)state;
    run_leaves(leaves, FAKE_ZEROS, (struct cpuid_words){0});
    assert_int_equal(scan.out_of_range, ANSWER_DATA);
}

// In range, and yet not the timing leaf's own words.
static void test_timing_in_range(void **state)
{
    static const struct fake_leaf leaves[] = {AMD(0xd), GUEST,
                                              LEAF(0x40000000, 0x40000012, KVM_BYTES),
                                              LEAF(0x40000012, 9, 9, 9, 9), LEAVES_END};

    (void)state;
    run_leaves(leaves, FAKE_CONSTANT, (struct cpuid_words){2600000, 100000, 1, 2});
    assert_int_equal(scan.out_of_range, ANSWER_PASS_THROUGH);
    assert_true(scan.timing_in_range);
    assert_int_equal(scan.timing_answer, ANSWER_PASS_THROUGH);
    run_leaves(leaves, FAKE_ZEROS, (struct cpuid_words){0});
    assert_int_equal(scan.timing_answer, ANSWER_ZEROS);
    assert_string_equal(scan.findings[SCAN_FLAT].text,
                        "leaves up to 0x40000012 are valid, but 0x40000010 reads as zeros");
}

// A CPU of hashed words. Some of its leaves look like signature leaves, some like each other.
static uint64_t hash(uint64_t seed, uint64_t a, uint64_t b)
{
    // The finalizer of splitmix64, Steele, Lea and Flood 2014.
    uint64_t z = seed * 0x9e3779b97f4a7c15u + a * 0xd1342543de82ef95u + b * 0xaf251af3b0f025b5u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t random_seed;

static uint32_t random_max_leaf(uint32_t leaf, uint64_t word)
{
    const uint32_t choices[] = {0,          leaf,           leaf + 1,     leaf + 0x10,
                                leaf | 0xf, leaf | 0xff,    leaf + 0x100, 0x4fffffff,
                                0x50000000, 0xffffffff,     leaf - 1,     0x16,
                                0x40000010, (uint32_t)word, 1000,         2596130};

    return choices[word % ARRAY_SIZE(choices)];
}

static struct cpuid_words random_read(void *context, uint32_t leaf, uint32_t subleaf)
{
    uint64_t word = hash(random_seed, leaf, subleaf), other = hash(random_seed, leaf, 77);
    unsigned style = (unsigned)(random_seed % 7); // of this CPU
    struct cpuid_words words = {0};

    (void)context;
    if (cpu.read_count == FAKE_READS_MAX)
        abort();
    cpu.reads[cpu.read_count].leaf = leaf;
    cpu.reads[cpu.read_count++].subleaf = subleaf;

    if (leaf == 0)
        return (struct cpuid_words){random_max_leaf(0xd, word >> 8), (uint32_t)other,
                                    (uint32_t)(other >> 32), 0x49656e69};
    if (style == 0 || (style < 4 && word % 4 != 0)) // nothing there
        return style == 1   ? hash(random_seed, 1, 1) % 2 ? (struct cpuid_words){1, 2, 3, 4} : words
               : style == 2 ? (struct cpuid_words){0x40000000, KVM_BYTES}
                            : words;
    words.eax = random_max_leaf(leaf, word >> 16);
    const struct signature *known = &signature_table[other % signature_count];
    switch (word >> 40 & 7) {
    case 0:
        memcpy(&words.ebx, known->bytes, 12);
        break;
    case 1:
        words = (struct cpuid_words){words.eax, GENERIC_BYTES};
        break;
    case 2:
        words = (struct cpuid_words){words.eax, 0x41424344, 0x20212223, (uint32_t)other};
        break;
    case 3:
        words = (struct cpuid_words){words.eax, UNKNOWN_BYTES};
        break;
    case 4:
        break; // no signature
    default:
        words = (struct cpuid_words){(uint32_t)word, (uint32_t)other, (uint32_t)(word >> 32),
                                     (uint32_t)(other >> 32)};
    }
    return words;
}

static void test_random_cpus(void **state)
{
    struct cpuid_source source = {random_read, NULL};
    size_t blocks = 0, dropped = 0, most = 0;

    (void)state;
    for (random_seed = 1; random_seed <= 20000; random_seed++) {
        cpu.read_count = 0;
        scan_run(&scan, &source, false, NULL);
        check_invariants(false);
        // 7 basic and far leaves, 271 bases, 239 generic leaves, base + 1 of each block.
        assert_in_range(cpu.read_count, 1, 8 + 271 + 239 + 272);
        blocks += scan.block_count;
        dropped += scan.blocks_dropped;
        most = scan.block_count > most ? scan.block_count : most;
    }
    // The generator reaches the interesting cases.
    assert_true(blocks > 1000 && dropped > 0 && most == SCAN_BLOCKS_MAX);
    for (random_seed = 20001; random_seed <= 20014; random_seed++) {
        cpu.read_count = 0;
        scan_run(&scan, &source, true, NULL);
        assert_int_equal(scan.findings[SCAN_WIDE].bases, 65536);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_machine),
        cmocka_unit_test(test_cpu_vendor),
        cmocka_unit_test(test_stacked),
        cmocka_unit_test(test_max_leaf_made_plausible),
        cmocka_unit_test(test_unknown_is_not_touched),
        cmocka_unit_test(test_generic_blocks),
        cmocka_unit_test(test_echo_follows_the_subleaf),
        cmocka_unit_test(test_echo_of_text),
        cmocka_unit_test(test_doubtful_signatures),
        cmocka_unit_test(test_one_far_leaf),
        cmocka_unit_test(test_timing_in_range),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_wide),
        cmocka_unit_test(test_random_cpus),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
