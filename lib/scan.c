#include "lib/scan.h"

#include "lib/text.h"

// Leaves that no convention gives a meaning to. Two of them, since one could be somebody's data.
#define BEYOND_LEAF       0x4fffffffu
#define BEYOND_LEAF_OTHER 0x4ffffffeu
#define HYPERVISOR_LAST   0x4fffffffu // Intel SDM vol. 2A, CPUID: 0x40000000 to 0x4fffffff

#define PRESENT_BIT          (1u << 31) // CPUID 1 ECX
#define SIGNATURE_LENGTH_MIN 4          // of an unknown vendor whose max leaf makes no sense
#define MAIN_BLOCK_LEAVES    0x100u

// Where each block convention puts its signature leaves. A block reaches up to the next one.
static const struct {
    unsigned bases;
    uint32_t stride;
} conventions[SCAN_KINDS] = {
    [SCAN_BLOCKS16] = {16, 0x10},
    [SCAN_BLOCKS256] = {256, 0x100},
    [SCAN_WIDE] = {65536, 0x100},
};
#define PROGRESS_STEP 4096u

static bool printable(char character)
{
    return character >= 0x20 && character <= 0x7e;
}

static bool signature_empty(const char signature[12])
{
    static const char empty[12];

    return memcmp(signature, empty, 12) == 0;
}

enum cpuid_answer scan_answer_within(const struct scan *scan, const struct block *block,
                                     struct cpuid_words words)
{
    if (cpuid_is_zero(words))
        return ANSWER_ZEROS;
    if (cpuid_equal(words, scan->echo))
        return ANSWER_ECHO;
    if (cpuid_equal(words, block->words))
        return ANSWER_CLAMP;
    if (scan->out_of_range == ANSWER_PASS_THROUGH && cpuid_equal(words, scan->beyond))
        return ANSWER_PASS_THROUGH;
    return ANSWER_DATA;
}

// What kind of answer `words` are for a leaf that no block vouches for.
static enum cpuid_answer answer_outside(const struct scan *scan, struct cpuid_words words)
{
    if (cpuid_is_zero(words))
        return ANSWER_ZEROS;
    if (cpuid_equal(words, scan->echo))
        return ANSWER_ECHO;
    return cpuid_equal(words, scan->beyond) ? scan->out_of_range : ANSWER_DATA;
}

const struct block *scan_main_block(const struct scan *scan)
{
    for (size_t i = 0; i < scan->block_count; i++)
        if (scan->blocks[i].base == CPUID_HYPERVISOR_BASE)
            return &scan->blocks[i];
    return NULL;
}

bool scan_has_vendor(const struct scan *scan, const char *vendor)
{
    char ascii[SIGNATURE_ASCII_SIZE];

    for (size_t i = 0; i < scan->block_count; i++) {
        const struct block *block = &scan->blocks[i];
        signature_ascii(block->signature, ascii);
        if (block->known ? signature_is_vendor(block->known, vendor)
                         : ascii[0] && text_equal(ascii, vendor))
            return true;
    }
    return false;
}

const struct block *scan_block_signed(const struct scan *scan, const char signature[12])
{
    for (size_t i = 0; i < scan->block_count; i++)
        if (memcmp(scan->blocks[i].signature, signature, 12) == 0)
            return &scan->blocks[i];
    return NULL;
}

const struct signature *scan_vendor(const struct scan *scan)
{
    const struct block *block = scan_main_block(scan);

    if (block && !(block->known && block->known->shared))
        return block->known;
    for (size_t i = 0; i < scan->block_count; i++)
        if (scan->blocks[i].known && !scan->blocks[i].known->shared)
            return scan->blocks[i].known;
    return block ? block->known : NULL;
}

// Leaf 0x40000010 without a signature in front of it: three implementations do that on purpose.
static bool timing_stands_alone(const struct scan *scan, const struct block *block)
{
    return block->base == CPUID_HYPERVISOR_BASE && signature_empty(block->signature) &&
           block->max_leaf >= CPUID_TIMING_LEAF && !cpuid_equal(scan->timing, scan->echo) &&
           scan->timing.eax >= TIMING_TSC_KHZ_MIN && scan->timing.eax <= TIMING_KHZ_MAX;
}

// Makes the max leaf of a block plausible, with a note on what was done. False: a max leaf outside
// the block and a signature that does not make up for it, so this is somebody's data.
static bool settle_last_leaf(const struct scan *scan, struct block *block, uint32_t leaves)
{
    uint32_t highest = block->base + leaves - 1;
    uint32_t max_leaf = block->max_leaf;
    bool trusted = block->known || block->generic;

    block->last_leaf = max_leaf;
    if (max_leaf >= block->base && max_leaf <= highest)
        return true;
    // At 0x40000000 a new hypervisor's mistake is likelier than text that means something else.
    if (!trusted && (block->base != CPUID_HYPERVISOR_BASE ||
                     signature_length(block->signature) < SIGNATURE_LENGTH_MIN))
        return false;
    if (max_leaf > highest && max_leaf <= HYPERVISOR_LAST) {
        block->last_leaf = highest;
        text_print(block->note, sizeof(block->note),
                   "max leaf 0x%08x is beyond this block: read as 0x%08x", max_leaf, highest);
    } else if (trusted && max_leaf == 0) {
        // KVM before Linux commit 57c22e5f35aa, OpenBSD's vmm.
        block->last_leaf = block->base + 1;
        text_print(block->note, sizeof(block->note), "max leaf 0: read as 0x%08x",
                   block->last_leaf);
    } else {
        // Intel's evmm, NVMM of the first years.
        block->last_leaf = block->base;
        text_print(block->note, sizeof(block->note), "max leaf 0x%x is %s: nothing above is read",
                   max_leaf,
                   max_leaf == scan->max_basic ? "the highest basic leaf" : "not in this block");
    }
    return true;
}

// Is this a signature leaf? Fills in the block if so.
static bool block_recognise(const struct scan *scan, enum scan_kind kind, uint32_t base,
                            uint32_t leaves, struct cpuid_words words, struct block *block)
{
    if (cpuid_is_zero(words) || cpuid_equal(words, scan->echo))
        return false;
    *block = (struct block){.scan = kind, .base = base, .words = words, .max_leaf = words.eax};
    signature_bytes(words, block->signature);
    block->known = signature_find(block->signature);
    block->generic = memcmp(block->signature, "Generic", 7) == 0;
    if (timing_stands_alone(scan, block))
        text_print(block->note, sizeof(block->note),
                   "no signature: so do VirtualBox's minimal provider and QEMU on HVF or WHPX");
    else if (!block->known && !signature_length(block->signature))
        return false;
    else if (kind == SCAN_WIDE)
        text_print(block->note, sizeof(block->note), "in the space of PCI vendor 0x%04x",
                   base >> 8 & 0xffff);
    return settle_last_leaf(scan, block, leaves);
}

static void block_add(struct scan *scan, const struct cpuid_source *source, struct block *block)
{
    if (scan->block_count == SCAN_BLOCKS_MAX) {
        scan->blocks_dropped++;
        return;
    }
    if ((block->generic || block->base == CPUID_HYPERVISOR_BASE) &&
        block->last_leaf > block->base) {
        block->next = cpuid_read(source, block->base + 1, 0);
        block->next_read = true;
    }
    scan->blocks[scan->block_count++] = *block;
}

static void read_basic(struct scan *scan, const struct cpuid_source *source)
{
    struct cpuid_words words = cpuid_read(source, 0, 0);
    const uint32_t vendor[3] = {words.ebx, words.edx, words.ecx}; // SDM vol. 2A: not in order

    scan->max_basic = words.eax;
    for (unsigned i = 0; i < 12; i++) {
        char character = (char)(vendor[i / 4] >> (i % 4 * 8));
        scan->cpu_vendor[i] = '?';
        if (printable(character))
            scan->cpu_vendor[i] = character;
    }
    if (scan->max_basic >= 1)
        scan->present = cpuid_read(source, 1, 0).ecx & PRESENT_BIT;
    if (scan->max_basic < CPUID_HYPERVISOR_BASE)
        scan->echo = cpuid_read(source, scan->max_basic, 0);
}

// The words of the last leaf of the block at 0x40000000, as far as it may be read.
static bool last_leaf_words(const struct scan *scan, const struct cpuid_source *source,
                            struct cpuid_words *words)
{
    const struct block *block = scan_main_block(scan);

    if (!block)
        return false;
    if (block->last_leaf == block->base)
        *words = block->words;
    else if (block->last_leaf == block->base + 1)
        *words = block->next;
    else if (block->last_leaf >= CPUID_TIMING_LEAF || block->known)
        *words = cpuid_read(source, block->last_leaf, 0);
    else
        return false;
    return true;
}

static enum cpuid_answer answer_beyond(struct scan *scan, const struct cpuid_source *source)
{
    struct cpuid_words other = cpuid_read(source, BEYOND_LEAF_OTHER, 0);
    struct cpuid_words subleaf = cpuid_read(source, BEYOND_LEAF, 1);
    struct cpuid_words echo = scan->echo, last;

    scan->beyond = cpuid_read(source, BEYOND_LEAF, 0);
    if (scan->max_basic < CPUID_HYPERVISOR_BASE)
        echo = cpuid_read(source, scan->max_basic, 1);
    // Sub-leaf 0 of the highest basic leaf may be all zero: then sub-leaf 1 gives the echo away.
    scan->echo_subleaf = cpuid_equal(scan->beyond, scan->echo) && cpuid_equal(subleaf, echo) &&
                         !cpuid_equal(echo, scan->echo);
    if (!cpuid_equal(scan->beyond, other))
        return ANSWER_DATA;
    if (cpuid_is_zero(scan->beyond) && !scan->echo_subleaf)
        return ANSWER_ZEROS;
    if (cpuid_equal(scan->beyond, scan->echo))
        return ANSWER_ECHO;
    if (last_leaf_words(scan, source, &last) && cpuid_equal(scan->beyond, last))
        return ANSWER_CLAMP;
    return ANSWER_PASS_THROUGH;
}

static void scan_flat(struct scan *scan, const struct cpuid_source *source)
{
    struct scan_finding *finding = &scan->findings[SCAN_FLAT];
    const struct block *main_block;
    struct block block;

    scan->first = cpuid_read(source, CPUID_HYPERVISOR_BASE, 0);
    scan->timing = cpuid_read(source, CPUID_TIMING_LEAF, 0);
    finding->ran = true;
    finding->bases = 1;
    if (block_recognise(scan, SCAN_FLAT, CPUID_HYPERVISOR_BASE, MAIN_BLOCK_LEAVES, scan->first,
                        &block))
        block_add(scan, source, &block);
    scan->out_of_range = answer_beyond(scan, source);

    main_block = scan_main_block(scan);
    if (!main_block) {
        scan->timing_answer = answer_outside(scan, scan->timing);
        finding->answers[answer_outside(scan, scan->first)]++;
        return;
    }
    finding->found = 1;
    scan->max_leaf = main_block->max_leaf;
    scan->timing_in_range = main_block->last_leaf >= CPUID_TIMING_LEAF;
    scan->timing_answer = scan->timing_in_range ? scan_answer_within(scan, main_block, scan->timing)
                                                : answer_outside(scan, scan->timing);
    // Generic leaves mean the same under every vendor. Their words go to the records.
    for (uint32_t leaf = CPUID_TIMING_LEAF + 1; leaf <= main_block->last_leaf; leaf++)
        cpuid_read(source, leaf, 0);
}

static void scan_interface(struct scan *scan)
{
    const struct block *block = scan_main_block(scan);
    struct scan_finding *finding = &scan->findings[SCAN_INTERFACE];

    if (!block || !block->next_read)
        return;
    finding->ran = true;
    finding->bases = 1;
    scan->interface_words = block->next.eax;
    for (unsigned i = 0; i < 4; i++) {
        scan->interface_signature[i] = (char)(block->next.eax >> (i * 8));
        if (!printable(scan->interface_signature[i])) {
            scan->interface_signature[0] = '\0';
            finding->answers[scan_answer_within(scan, block, block->next)]++;
            return;
        }
    }
    finding->found = 1;
}

// A base that some block was found at already, by another convention, or whose words are those of a
// block elsewhere.
static bool base_is_known(struct scan *scan, struct scan_finding *finding, uint32_t base,
                          struct cpuid_words words)
{
    for (size_t i = 0; i < scan->block_count; i++) {
        struct block *block = &scan->blocks[i];
        if (block->base == base) {
            finding->found++;
            return true;
        }
        if (cpuid_equal(block->words, words)) {
            block->repeats++;
            finding->answers[ANSWER_CLAMP]++;
            return true;
        }
    }
    return false;
}

static void scan_base(struct scan *scan, const struct cpuid_source *source, enum scan_kind kind,
                      uint32_t base)
{
    struct scan_finding *finding = &scan->findings[kind];
    struct cpuid_words words = base == CPUID_HYPERVISOR_BASE ? scan->first
                               : base == CPUID_TIMING_LEAF   ? scan->timing
                                                             : cpuid_read(source, base, 0);
    struct block block;

    finding->bases++;
    if (base_is_known(scan, finding, base, words))
        return;
    if (block_recognise(scan, kind, base, conventions[kind].stride, words, &block)) {
        finding->found++;
        block_add(scan, source, &block);
    } else {
        finding->answers[answer_outside(scan, words)]++;
    }
}

static void scan_blocks(struct scan *scan, const struct cpuid_source *source, enum scan_kind kind,
                        scan_progress *progress)
{
    struct scan_finding *finding = &scan->findings[kind];

    // The first vendor spaces are the 256-leaf blocks, which have been read.
    if (kind == SCAN_WIDE)
        *finding = scan->findings[SCAN_BLOCKS256];
    finding->ran = true;
    if (progress)
        progress(0, conventions[kind].bases);
    for (unsigned i = finding->bases; i < conventions[kind].bases; i++) {
        scan_base(scan, source, kind, CPUID_HYPERVISOR_BASE + i * conventions[kind].stride);
        if (progress && (i + 1) % PROGRESS_STEP == 0)
            progress(i + 1, conventions[kind].bases);
    }
}

void scan_run(struct scan *scan, const struct cpuid_source *source, bool wide,
              scan_progress *progress)
{
    memset(scan, 0, sizeof(*scan));
    read_basic(scan, source);
    scan_flat(scan, source);
    scan_interface(scan);
    scan_blocks(scan, source, SCAN_BLOCKS256, NULL);
    scan_blocks(scan, source, SCAN_BLOCKS16, NULL);
    if (wide)
        scan_blocks(scan, source, SCAN_WIDE, progress);
    scan_describe(scan);
}
