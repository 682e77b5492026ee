// What Xen states in CPUID: leaf base + 3. Xen public/arch-x86/cpuid.h, "Leaf 4".
#include "kernel/xen.h"

#include "kernel/claims/claims.h"
#include "lib/text.h"

#define LEAF_SOURCE  "xen-leaf"
#define SCALE_SOURCE "xen-leaf-scale"
#define HOST_SOURCE  "xen-leaf-host"

#define TIME_LEAF     3 // from the base
#define MODE_EMULATED 1 // EAX of sub-leaf 0, bit 0

static const char *const modes[] = {"default", "always emulated", "never emulated", "pvrdtscp"};

static void state_khz(struct claim *claim, const char *source, bool nominal, uint32_t khz,
                      const char *rests_on)
{
    uint64_t rate = (uint64_t)khz * MILLIHERTZ_PER_KHZ;

    claim_stated(claim, source, CLAIM_TSC, nominal, rate, MILLIHERTZ_PER_KHZ, "%s", rests_on);
}

static size_t collect_xen_leaf(const struct platform *platform, struct claim *out, size_t max)
{
    const struct block *block = scan_block_signed(&platform->scan, XEN_SIGNATURE);
    struct cpuid_words words;
    char text[sizeof(out->reason)];
    uint32_t leaf;

    if (!block)
        return claim_foreign(out, max, LEAF_SOURCE, false, "no Xen leaves");
    if (max < 3)
        return 0;
    leaf = block->base + TIME_LEAF;
    words = cpuid_read(&platform->cpuid, leaf, 0);
    bool in_range = block->last_leaf >= leaf;
    enum cpuid_answer answer =
        in_range ? scan_answer_within(&platform->scan, block, words) : ANSWER_ZEROS;
    if (!in_range || (answer != ANSWER_DATA && answer != ANSWER_ZEROS)) {
        char what[SCAN_ANSWER_SIZE];
        if (in_range)
            text_print(text, sizeof(text), "leaf 0x%08x is in range, but %s", leaf,
                       scan_answer_text(&platform->scan, answer, what));
        else
            text_print(text, sizeof(text), "max leaf 0x%08x is below 0x%08x", block->max_leaf,
                       leaf);
        claim_absent(&out[0], LEAF_SOURCE, CLAIM_TSC, false, "%s", text);
        claim_absent(&out[1], SCALE_SOURCE, CLAIM_TSC, false, "%s", text);
        claim_absent(&out[2], HOST_SOURCE, CLAIM_TSC, true, "%s", text);
        return 3;
    }
    text_print(text, sizeof(text), "tsc_mode %u (%s)%s, incarnation %u", words.ebx,
               words.ebx < ARRAY_SIZE(modes) ? modes[words.ebx] : "unknown",
               words.eax & MODE_EMULATED ? ", emulated" : "", words.edx);
    state_khz(&out[0], LEAF_SOURCE, false, words.ecx, text);
    words = cpuid_read(&platform->cpuid, leaf, 1);
    claim_scaled(&out[1], SCALE_SOURCE, words.ecx, (int8_t)words.edx);
    state_khz(&out[2], HOST_SOURCE, true, cpuid_read(&platform->cpuid, leaf, 2).eax,
              "the host's own TSC");
    return 3;
}

const struct claim_source claim_xen_leaf = {.name = LEAF_SOURCE, .collect = collect_xen_leaf};
