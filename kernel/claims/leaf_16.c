// CPUID 0x16: EAX bits 15:0 are the processor's base frequency in MHz, ECX bits 15:0 the bus
// (reference) frequency that its multipliers are relative to. Intel SDM vol. 2A, CPUID.
#include "kernel/claims/claims.h"

#define BASE_SOURCE "leaf-0x16"
#define BASE_LEAF   0x16u

static void state(struct claim *claim, enum claim_clock clock, uint32_t mhz, const char *name,
                  const char *rests_on)
{
    if (mhz == 0)
        claim_absent(claim, BASE_SOURCE, clock, true, "%s is zero", name);
    else
        claim_stated(claim, BASE_SOURCE, clock, true, (uint64_t)mhz * MILLIHERTZ_PER_MHZ,
                     MILLIHERTZ_PER_MHZ, "%s", rests_on);
}

static size_t collect_leaf_16(const struct platform *platform, struct claim *out, size_t max)
{
    char reason[CLAIM_RANGE_SIZE];
    struct cpuid_words words;

    if (max < 2)
        return 0;
    if (!claim_leaf_in_range(&platform->scan, BASE_LEAF, reason)) {
        claim_absent(&out[0], BASE_SOURCE, CLAIM_TSC, true, "%s", reason);
        claim_absent(&out[1], BASE_SOURCE, CLAIM_BCLK, true, "%s", reason);
        return 2;
    }
    words = cpuid_read(&platform->cpuid, BASE_LEAF, 0);
    state(&out[0], CLAIM_TSC, words.eax & 0xffff, "EAX", "the CPU's base frequency");
    state(&out[1], CLAIM_BCLK, words.ecx & 0xffff, "ECX", "the CPU's reference frequency");
    return 2;
}

const struct claim_source claim_leaf_16 = {.name = BASE_SOURCE, .collect = collect_leaf_16};
