// Rules that come from one vendor's interface, and the one that CPUID has no side effects.
#include "lib/check_rules.h"

#define HYPERV_INTERFACE "Hv#1" // Microsoft TLFS, "Feature and Interface Discovery"
#define HYPERV_LEAVES    5u     // the same: EAX of 0x40000000 is at least 0x40000005
#define HYPERV_VERSION   0x40000002u
#define HYPERV_HINTS     0x40000004u
// Of CPUID_HYPERV_FEATURES, TLFS "Partition Privilege Mask" and "Feature Identification".
#define ACCESS_FREQUENCY_MSRS    (1u << 11) // EAX
#define FREQUENCY_MSRS_AVAILABLE (1u << 8)  // EDX

static bool is_hyperv_signature(const struct block *block)
{
    // Linux arch/x86/kvm/hyperv.c: the second is KVM's own, with the same interface.
    return memcmp(block->signature, "Microsoft Hv", 12) == 0 ||
           memcmp(block->signature, "Linux KVM Hv", 12) == 0;
}

static bool has_hyperv_interface(const struct scan *scan)
{
    return text_equal(scan->interface_signature, HYPERV_INTERFACE);
}

const char *check_interface_of(const struct block *block)
{
    if (is_hyperv_signature(block))
        return HYPERV_INTERFACE;
    // QEMU target/i386/kvm/kvm.c, hyperv_fill_cpuids.
    if (memcmp(block->signature, "Microsoft VS", 12) == 0)
        return "VS#1";
    // XNU osfmk/i386/cpuid.c.
    return memcmp(block->signature, "apple-pv-xnu", 12) == 0 ? "AH#1" : NULL;
}

enum check_result check_interface_signature(const struct check_input *input, struct text *detail)
{
    const struct scan *scan = input->scan;
    const char *signature = scan->interface_signature;

    if (!scan->block_count)
        return check_say(detail, CHECK_SKIP, "no block");
    for (size_t i = 0; i < scan->block_count; i++) {
        const struct block *block = &scan->blocks[i];
        const struct cpuid_words *words = check_leaf(input, block->base + 1);
        const char *demanded = check_interface_of(block);
        uint32_t letters;
        if (block == scan_main_block(scan) && block->next_read && !words)
            return check_say(detail, CHECK_SKIP, "leaf 0x%08x is not known", block->base + 1);
        if (!demanded)
            continue;
        memcpy(&letters, demanded, sizeof(letters));
        if (block->last_leaf == block->base)
            return check_say(detail, CHECK_FAIL, "0x%08x, where \"%s\" belongs, is out of range",
                             block->base + 1, demanded);
        if (!words)
            return check_say(detail, CHECK_SKIP, "leaf 0x%08x is not known", block->base + 1);
        if (words->eax != letters)
            return check_say(detail, CHECK_FAIL, "0x%08x EAX is 0x%08x, not \"%s\"",
                             block->base + 1, words->eax, demanded);
        signature = *signature ? signature : demanded;
    }
    if (!*signature)
        return check_say(detail, CHECK_SKIP, "this vendor's interface has none");
    return check_say(detail, CHECK_PASS, "\"%s\"", signature);
}

enum check_result check_interface_max_leaf(const struct check_input *input, struct text *detail)
{
    const struct block *block = scan_main_block(input->scan);

    if (!block || !has_hyperv_interface(input->scan))
        return check_say(detail, CHECK_SKIP, "the interface is not " HYPERV_INTERFACE);
    return check_say(detail,
                     block->last_leaf - block->base >= HYPERV_LEAVES ? CHECK_PASS : CHECK_FAIL,
                     "max leaf 0x%08x", block->max_leaf);
}

enum check_result check_vendor_max_leaf(const struct check_input *input, struct text *detail)
{
    static const struct {
        const char *vendor;
        uint32_t leaves;
        bool zero; // a max leaf of 0 is a documented way to say so
    } needs[] = {
        // Linux Documentation/virt/kvm/x86/cpuid.rst: features in +1; 0 stands for that.
        {"KVM", 1, true},
        // Linux arch/x86/include/asm/xen/hypervisor.h asks for two leaves.
        {"Xen", 2, false},
        // Linux arch/x86/kernel/cpu/vmware.c: the hypercall flags in 0x40000010.
        {"VMware", 0x10, false},
    };
    const struct scan *scan = input->scan;
    bool found = false;

    for (size_t i = 0; i < scan->block_count; i++) {
        const struct block *block = &scan->blocks[i];
        for (size_t n = 0; n < ARRAY_SIZE(needs) && block->known; n++) {
            // Behind a Hyper-V interface the leaves are Hyper-V's.
            if (!text_equal(block->known->vendor, needs[n].vendor) || is_hyperv_signature(block))
                continue;
            found = true;
            if (block->last_leaf < block->base + needs[n].leaves ||
                (!block->max_leaf && !needs[n].zero))
                return check_say(detail, CHECK_FAIL, "%s at 0x%08x needs 0x%08x, has 0x%08x",
                                 needs[n].vendor, block->base, block->base + needs[n].leaves,
                                 block->max_leaf);
        }
    }
    if (!found)
        return check_say(detail, CHECK_SKIP, "no vendor with known needs");
    return check_say(detail, CHECK_PASS, "they are in range");
}

enum check_result check_hyperv_frequency(const struct check_input *input, struct text *detail)
{
    const struct cpuid_words *words = check_leaf(input, CPUID_HYPERV_FEATURES);
    const struct block *block = scan_main_block(input->scan);
    enum cpuid_answer answer;
    bool access, available;

    if (!block || !has_hyperv_interface(input->scan))
        return check_say(detail, CHECK_SKIP, "the interface is not " HYPERV_INTERFACE);
    answer = words ? scan_answer_within(input->scan, block, *words) : ANSWER_ECHO;
    if (answer != ANSWER_DATA && answer != ANSWER_ZEROS)
        return check_say(detail, CHECK_SKIP, "leaf 0x40000003 is not known");
    access = words->eax & ACCESS_FREQUENCY_MSRS;
    available = words->edx & FREQUENCY_MSRS_AVAILABLE;
    return check_say(detail, access == available ? CHECK_PASS : CHECK_FAIL,
                     "EAX bit 11 is %u, EDX bit 8 is %u", access, available);
}

// --- Side effects

#define ALL 0xffffffffu

// What may differ between two readings on the same CPU, by leaf.
static const struct {
    uint32_t leaf;
    struct cpuid_words mask; // bits that may differ
} changing[] = {
    // Intel SDM vol. 2A, CPUID: the initial APIC id; OSXSAVE, which mirrors CR4.
    {0x1, {0, 0xff000000, 1u << 27, 0}},
    {0xb, {0, 0, 0, ALL}}, // the x2APIC id
    {0xd, {0, ALL, 0, 0}}, // the size of the features that XCR0 enables
    {0x1f, {0, 0, 0, ALL}},
};

static struct cpuid_words mask_of(const struct scan *scan, uint32_t leaf)
{
    static const struct cpuid_words nothing = {0, 0, 0, 0}, all = {ALL, ALL, ALL, ALL};

    for (size_t i = 0; i < ARRAY_SIZE(changing); i++)
        if (changing[i].leaf == leaf)
            return changing[i].mask;
    // Xen viridian and VirtualBox fill these when the guest OS id is written: Xen
    // arch/x86/hvm/viridian/viridian.c, VirtualBox GIMHv.cpp.
    if (has_hyperv_interface(scan) && (leaf == HYPERV_VERSION || leaf == HYPERV_HINTS))
        return all;
    // Xen public/arch-x86/cpuid.h, leaf 4: the offset and the incarnation follow migrations.
    for (size_t i = 0; i < scan->block_count; i++)
        if (scan->blocks[i].known && text_equal(scan->blocks[i].known->vendor, "Xen") &&
            leaf == scan->blocks[i].base + 3)
            return all;
    return nothing;
}

void cpuid_repeat_add(struct cpuid_repeat *repeat, const struct scan *scan,
                      const struct cpuid_entry *first, struct cpuid_words second)
{
    struct cpuid_words mask,
        difference = {first->words.eax ^ second.eax, first->words.ebx ^ second.ebx,
                      first->words.ecx ^ second.ecx, first->words.edx ^ second.edx};

    repeat->leaves++;
    if (cpuid_is_zero(difference))
        return;
    mask = mask_of(scan, first->leaf);
    if (!((difference.eax & ~mask.eax) | (difference.ebx & ~mask.ebx) |
          (difference.ecx & ~mask.ecx) | (difference.edx & ~mask.edx))) {
        repeat->excluded++;
        return;
    }
    if (!repeat->different++) {
        repeat->first = *first;
        repeat->second = second;
    }
}

enum check_result check_repeatable(const struct check_input *input, struct text *detail)
{
    const struct cpuid_repeat *repeat = input->repeat;

    if (!repeat)
        return check_say(detail, CHECK_SKIP, "every leaf was read once");
    if (!repeat->different)
        return check_say(detail, CHECK_PASS, "%u leaves, %u of them with bits that may change",
                         repeat->leaves, repeat->excluded);
    return check_say(detail, CHECK_FAIL,
                     "%u of %u differ; 0x%08x: %08x %08x %08x %08x, then %08x %08x %08x %08x",
                     repeat->different, repeat->leaves, repeat->first.leaf, repeat->first.words.eax,
                     repeat->first.words.ebx, repeat->first.words.ecx, repeat->first.words.edx,
                     repeat->second.eax, repeat->second.ebx, repeat->second.ecx,
                     repeat->second.edx);
}
