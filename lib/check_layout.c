// Rules about how the leaves are laid out: the bit, signatures, ranges, blocks.
#include "lib/check_rules.h"

#define BLOCK_LEAVES 0x100u

// VMware's ECX: VMMCALL and VMCALL may be used for hypercalls. Linux
// arch/x86/include/asm/vmware.h, CPUID_VMWARE_FEATURES_ECX_*.
#define VMWARE_ECX_FLAGS 0x3u

enum check_result check_present_bit(const struct check_input *input, struct text *detail)
{
    const struct scan *scan = input->scan;

    if (!check_leaf(input, 1))
        return check_say(detail, CHECK_SKIP, "leaf 1 is not known");
    if (!scan->block_count && !check_leaf(input, CPUID_HYPERVISOR_BASE))
        return check_say(detail, CHECK_SKIP, "leaf 0x40000000 is not known");
    if (!scan->present && !scan->block_count)
        return check_say(detail, CHECK_PASS, "clear, and there is no signature leaf");
    if (!scan->present)
        return check_say(detail, CHECK_FAIL, "clear, but there is a signature leaf at 0x%08x",
                         scan->blocks[0].base);
    if (!scan->block_count)
        return check_say(detail, CHECK_FAIL, "set, but there is no signature leaf");
    return check_say(detail, CHECK_PASS, "set, and there is a signature leaf");
}

enum check_result check_signature(const struct check_input *input, struct text *detail)
{
    const struct scan *scan = input->scan;
    const struct block *block = scan_main_block(scan);
    char ascii[SIGNATURE_ASCII_SIZE], bytes[12];

    if (!check_leaf(input, CPUID_HYPERVISOR_BASE))
        return check_say(detail, CHECK_SKIP, "leaf 0x40000000 is not known");
    if (!block && !scan->findings[SCAN_FLAT].answers[ANSWER_DATA])
        return check_say(detail, CHECK_SKIP, "leaf 0x40000000 is not implemented");
    signature_bytes(scan->first, bytes);
    signature_ascii(bytes, ascii);
    return check_say(detail, signature_length(bytes) ? CHECK_PASS : CHECK_FAIL, "\"%s\"", ascii);
}

enum check_result check_max_leaf(const struct check_input *input, struct text *detail)
{
    const struct block *block = scan_main_block(input->scan);

    if (!block)
        return check_say(detail, CHECK_SKIP, "no block at 0x40000000");
    return check_say(detail,
                     block->max_leaf >= block->base && block->max_leaf < block->base + BLOCK_LEAVES
                         ? CHECK_PASS
                         : CHECK_FAIL,
                     "0x%08x", block->max_leaf);
}

// Is any leaf known that no block reaches, and that was answered as those beyond every range? What
// a dump has not is answered with zeros, which prove nothing.
static bool beyond_is_known(const struct check_input *input)
{
    for (size_t i = 0; i < input->leaf_count; i++) {
        uint32_t leaf = input->leaves[i].leaf;
        bool inside = leaf >> 28 != 4 || leaf == CPUID_HYPERVISOR_BASE;
        for (size_t n = 0; n < input->scan->block_count && !inside; n++)
            inside =
                leaf >= input->scan->blocks[n].base && leaf <= input->scan->blocks[n].last_leaf;
        if (!inside && cpuid_equal(input->leaves[i].words, input->scan->beyond))
            return true;
    }
    return false;
}

enum check_result check_out_of_range(const struct check_input *input, struct text *detail)
{
    const struct scan *scan = input->scan;

    if (!beyond_is_known(input))
        return check_say(detail, CHECK_SKIP, "no leaf beyond the ranges is known");
    if (scan->out_of_range == ANSWER_ZEROS)
        return check_say(detail, CHECK_PASS, "zeros");
    if (scan->out_of_range != ANSWER_ECHO)
        return check_say(detail, CHECK_FAIL, "%s: 0x%08x 0x%08x 0x%08x 0x%08x",
                         cpuid_answer_word(scan->out_of_range), scan->beyond.eax, scan->beyond.ebx,
                         scan->beyond.ecx, scan->beyond.edx);
    if (text_equal(scan->cpu_vendor, "GenuineIntel"))
        return check_say(detail, CHECK_PASS, "the words of leaf 0x%x, as Intel's CPUs do",
                         scan->max_basic);
    if (text_equal(scan->cpu_vendor, "AuthenticAMD") ||
        text_equal(scan->cpu_vendor, "HygonGenuine"))
        return check_say(detail, CHECK_FAIL, "the words of leaf 0x%x; CPUs of %s give zeros",
                         scan->max_basic, scan->cpu_vendor);
    return check_say(detail, CHECK_SKIP, "the words of leaf 0x%x; what %s gives is not known",
                     scan->max_basic, scan->cpu_vendor);
}

// Is this leaf one that some convention has a signature in?
static bool is_base(uint32_t leaf)
{
    return !(leaf & 0xff) || (!(leaf & 0xf) && leaf < CPUID_HYPERVISOR_BASE + BLOCK_LEAVES);
}

// Is any base known but that of the first block?
static bool other_base_is_known(const struct check_input *input)
{
    const struct block *block = &input->scan->blocks[0];

    for (size_t i = 0; i < input->leaf_count; i++) {
        uint32_t leaf = input->leaves[i].leaf;
        if (leaf >> 28 == 4 && leaf != block->base && is_base(leaf))
            return true;
    }
    return false;
}

enum check_result check_signature_repeats(const struct check_input *input, struct text *detail)
{
    const struct scan *scan = input->scan;

    if (!scan->block_count)
        return check_say(detail, CHECK_SKIP, "no block");
    for (size_t i = 0; i < scan->block_count; i++)
        if (scan->blocks[i].repeats)
            return check_say(detail, CHECK_FAIL, "0x%08x is also at %u other bases",
                             scan->blocks[i].base, scan->blocks[i].repeats);
    if (!other_base_is_known(input))
        return check_say(detail, CHECK_SKIP, "no other base is known");
    return check_say(detail, CHECK_PASS, "%zu block%s", scan->block_count,
                     scan->block_count == 1 ? "" : "s");
}

// --- The flat range

static const struct block *block_at(const struct scan *scan, uint32_t base)
{
    for (size_t i = 0; i < scan->block_count; i++)
        if (scan->blocks[i].base == base)
            return &scan->blocks[i];
    return NULL;
}

// Does a block within the range of the one at 0x40000000 say what this leaf means? Hyper-V's debug
// interface is one.
static bool in_inner_block(const struct scan *scan, uint32_t leaf)
{
    const struct block *block = block_at(scan, leaf & ~0xfu);

    return block && leaf <= block->last_leaf;
}

enum check_result check_generic_zero(const struct check_input *input, struct text *detail)
{
    const struct scan *scan = input->scan;
    const struct block *block = scan_main_block(scan);
    uint32_t data = 0, missing = 0;
    unsigned zeros = 0;

    if (!block || !scan->timing_in_range)
        return check_say(detail, CHECK_SKIP, "no generic leaf is in range");
    for (uint32_t leaf = CPUID_TIMING_LEAF; leaf <= block->last_leaf; leaf++) {
        const struct cpuid_words *words = check_leaf(input, leaf);
        char text[SCAN_ANSWER_SIZE];
        if (in_inner_block(scan, leaf))
            continue;
        if (!words) {
            missing = missing ? missing : leaf;
            continue;
        }
        enum cpuid_answer answer = scan_answer_within(scan, block, *words);
        zeros += answer == ANSWER_ZEROS;
        if (answer == ANSWER_DATA && leaf != CPUID_TIMING_LEAF && !data)
            data = leaf;
        if (answer != ANSWER_DATA && answer != ANSWER_ZEROS)
            return check_say(detail, CHECK_FAIL, "0x%08x %s", leaf,
                             scan_answer_text(scan, answer, text));
    }
    if (missing)
        return check_say(detail, CHECK_SKIP, "leaf 0x%08x is not known", missing);
    if (data)
        return check_say(detail, CHECK_PASS, "0x%08x holds data: no proposal says what it means",
                         data);
    if (!zeros)
        return check_say(detail, CHECK_PASS, "those in range are supported");
    return check_say(detail, CHECK_PASS, "%u up to 0x%08x read as zeros", zeros, block->last_leaf);
}

enum check_result check_timing_range(const struct check_input *input, struct text *detail)
{
    const struct scan *scan = input->scan;

    if (!check_leaf(input, CPUID_TIMING_LEAF))
        return check_say(detail, CHECK_SKIP, "leaf 0x40000010 is not known");
    if (scan->timing_in_range || !check_is_guest(scan))
        return check_say(detail, CHECK_SKIP, "%s",
                         scan->timing_in_range ? "it is in range" : "no hypervisor");
    if (!scan->timing.eax)
        return check_say(detail, CHECK_PASS, "EAX is zero");
    return check_say(detail, CHECK_FAIL,
                     "a guest that does not look at the max leaf takes %u kHz for the TSC's rate",
                     scan->timing.eax);
}

// The timing leaf as one that is in range and holds something, or NULL with the reason.
static const struct cpuid_words *timing_leaf(const struct check_input *input, struct text *detail)
{
    const struct scan *scan = input->scan;

    if (!scan->timing_in_range)
        text_string(detail, "0x40000010 is out of range");
    else if (!check_leaf(input, CPUID_TIMING_LEAF))
        text_string(detail, "leaf 0x40000010 is not known");
    else if (scan->timing_answer == ANSWER_ZEROS)
        text_string(detail, "0x40000010 reads as zeros: not supported");
    else
        return &scan->timing;
    return NULL;
}

enum check_result check_timing_values(const struct check_input *input, struct text *detail)
{
    const struct cpuid_words *words = timing_leaf(input, detail);
    bool tsc, bus;

    if (!words)
        return CHECK_SKIP;
    tsc = words->eax >= TIMING_TSC_KHZ_MIN && words->eax <= TIMING_KHZ_MAX;
    bus = !words->ebx || (words->ebx >= TIMING_BUS_KHZ_MIN && words->ebx <= TIMING_KHZ_MAX);
    return check_say(detail, tsc && bus ? CHECK_PASS : CHECK_FAIL, "TSC %u kHz, bus %u kHz",
                     words->eax, words->ebx);
}

enum check_result check_timing_reserved(const struct check_input *input, struct text *detail)
{
    const struct cpuid_words *words = timing_leaf(input, detail);
    const struct block *block = scan_main_block(input->scan);
    uint32_t flags =
        block && block->known && text_equal(block->known->vendor, "VMware") ? VMWARE_ECX_FLAGS : 0;

    if (!words)
        return CHECK_SKIP;
    bool reserved = (words->ecx & ~flags) || words->edx;
    return check_say(detail, reserved ? CHECK_FAIL : CHECK_PASS, "ECX 0x%08x, EDX 0x%08x%s",
                     words->ecx, words->edx,
                     words->ecx & flags ? ", VMware's hypercall flags" : "");
}

// --- Blocks

static bool max_leaf_inside(const struct block *block, uint32_t leaves, struct text *detail)
{
    if (block->max_leaf >= block->base && block->max_leaf < block->base + leaves)
        return true;
    text_format(detail, "max leaf 0x%08x at 0x%08x", block->max_leaf, block->base);
    return false;
}

// Are these words of its own at a base where no block was found?
static bool is_data(const struct scan *scan, struct cpuid_words words)
{
    if (cpuid_is_zero(words) || cpuid_equal(words, scan->echo) || cpuid_equal(words, scan->beyond))
        return false;
    for (size_t i = 0; i < scan->block_count; i++)
        if (cpuid_equal(words, scan->blocks[i].words))
            return false;
    return !scan->blocks_dropped; // else it may be one of those
}

// Of a convention: blocks of so many leaves, at so many bases.
struct convention {
    uint32_t leaves, bases;
};

// Is this a base, and not 0x40000000, which has checks of its own?
static bool is_base_of(struct convention convention, uint32_t leaf)
{
    uint32_t offset = leaf - CPUID_HYPERVISOR_BASE;

    return offset && offset % convention.leaves == 0 &&
           offset / convention.leaves < convention.bases;
}

// The first base among these leaves that no block is at; 0: there is none. What the flat range of
// the block at 0x40000000 covers is not a base of a 16-leaf block.
static uint32_t base_without_block(const struct scan *scan, const struct cpuid_entry *entry,
                                   struct convention convention)
{
    const struct block *main_block = scan_main_block(scan);
    uint32_t leaf = entry->leaf;

    for (uint32_t i = 0; i < entry->count; i++, leaf += entry->stride)
        if (is_base_of(convention, leaf) && !block_at(scan, leaf) &&
            !(main_block && leaf <= main_block->last_leaf))
            return leaf;
    return 0;
}

static enum check_result check_blocks(const struct check_input *input, struct text *detail,
                                      struct convention convention)
{
    const struct scan *scan = input->scan;
    unsigned found = 0;

    if (!check_leaf(input, CPUID_HYPERVISOR_BASE))
        return check_say(detail, CHECK_SKIP, "leaf 0x40000000 is not known");
    for (size_t i = 0; i < scan->block_count; i++) {
        if (!is_base_of(convention, scan->blocks[i].base))
            continue;
        found++;
        if (!max_leaf_inside(&scan->blocks[i], convention.leaves, detail))
            return CHECK_FAIL;
    }
    for (size_t i = 0; i < input->leaf_count; i++) {
        const struct cpuid_entry *entry = &input->leaves[i];
        uint32_t base = !entry->subleaf && is_data(scan, entry->words)
                            ? base_without_block(scan, entry, convention)
                            : 0;
        if (base)
            return check_say(detail, CHECK_FAIL, "0x%08x holds data, but no signature leaf", base);
    }
    if (!found)
        return check_say(detail, CHECK_SKIP, "no block but at 0x40000000");
    return check_say(detail, CHECK_PASS, "%u block%s beside 0x40000000", found,
                     found == 1 ? "" : "s");
}

enum check_result check_blocks_16(const struct check_input *input, struct text *detail)
{
    return check_blocks(input, detail, (struct convention){16, 16});
}

enum check_result check_blocks_256(const struct check_input *input, struct text *detail)
{
    return check_blocks(input, detail, (struct convention){256, 256});
}

enum check_result check_generic_block(const struct check_input *input, struct text *detail)
{
    const struct scan *scan = input->scan;
    unsigned found = 0;

    for (size_t i = 0; i < scan->block_count; i++) {
        const struct block *block = &scan->blocks[i];
        if (!block->generic)
            continue;
        found++;
        if (block->next_read && !check_leaf(input, block->base + 1))
            return check_say(detail, CHECK_SKIP, "leaf 0x%08x is not known", block->base + 1);
        if (!block->next_read || cpuid_is_zero(block->next))
            return check_say(detail, CHECK_FAIL, "0x%08x %s", block->base + 1,
                             block->next_read ? "reads as zeros" : "is above its max leaf");
    }
    if (!found)
        return check_say(detail, CHECK_SKIP, "no such block");
    return check_say(detail, CHECK_PASS, "%u block%s", found, found == 1 ? "" : "s");
}

enum check_result check_vendor_spaces(const struct check_input *input, struct text *detail)
{
    const struct scan *scan = input->scan;
    // The wide scan's counts include those of the 256-leaf blocks.
    unsigned data = scan->findings[SCAN_WIDE].answers[ANSWER_DATA] -
                    scan->findings[SCAN_BLOCKS256].answers[ANSWER_DATA];
    unsigned found = 0;

    if (!scan->findings[SCAN_WIDE].ran)
        return check_say(detail, CHECK_SKIP, "scan=wide was not asked for");
    for (size_t i = 0; i < scan->block_count; i++) {
        if (scan->blocks[i].scan != SCAN_WIDE)
            continue;
        found++;
        if (!max_leaf_inside(&scan->blocks[i], BLOCK_LEAVES, detail))
            return CHECK_FAIL;
    }
    if (data)
        return check_say(detail, CHECK_FAIL, "%u base%s data, but no signature leaf", data,
                         data == 1 ? " holds" : "s hold");
    return check_say(detail, found ? CHECK_PASS : CHECK_SKIP, "%u vendor space%s", found,
                     found == 1 ? "" : "s");
}

// --- Unknown blocks

// The first leaf of `entry` that belongs to the block beyond its signature leaf; 0: none does.
static uint32_t touched(const struct cpuid_entry *entry, const struct block *block, uint32_t leaves,
                        uint32_t flat_last)
{
    uint32_t leaf = entry->leaf;

    for (uint32_t i = 0; i < entry->count; i++, leaf += entry->stride)
        if (leaf > block->base && leaf < block->base + leaves && leaf > flat_last && !is_base(leaf))
            return leaf;
    return 0;
}

enum check_result check_unknown_blocks(const struct check_input *input, struct text *detail)
{
    const struct scan *scan = input->scan;
    const struct block *main_block = scan_main_block(scan);
    unsigned found = 0;

    if (input->is_dump)
        return check_say(detail, CHECK_SKIP, "a dump: not this program read it");
    if (input->leaves_dropped)
        return check_say(detail, CHECK_SKIP, "%u reads are not on record", input->leaves_dropped);
    for (size_t i = 0; i < scan->block_count; i++) {
        const struct block *block = &scan->blocks[i];
        if (block->known || block->generic || block == main_block)
            continue;
        found++;
        for (size_t n = 0; n < input->leaf_count; n++) {
            uint32_t leaf =
                touched(&input->leaves[n], block, block->scan == SCAN_BLOCKS16 ? 16 : BLOCK_LEAVES,
                        main_block ? main_block->last_leaf : 0);
            if (leaf)
                return check_say(detail, CHECK_FAIL, "0x%08x was read", leaf);
        }
    }
    if (!found)
        return check_say(detail, CHECK_SKIP, "no unknown block beside 0x40000000");
    return check_say(detail, CHECK_PASS, "%u, of which nothing else was read", found);
}
