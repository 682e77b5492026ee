// CPUID 0x16: EAX bits 15:0 are the processor's base frequency in MHz. Intel SDM vol. 2A, CPUID.
#include "kernel/claims/claims.h"

#define BASE_SOURCE        "leaf-0x16"
#define BASE_LEAF          0x16u
#define MILLIHERTZ_PER_MHZ 1000000000u

static size_t collect_leaf_16(const struct platform *platform, struct claim *out, size_t max)
{
    char reason[CLAIM_RANGE_SIZE];
    uint32_t mhz;

    if (max < 1)
        return 0;
    if (!claim_leaf_in_range(&platform->scan, BASE_LEAF, reason)) {
        claim_absent(out, BASE_SOURCE, CLAIM_TSC, true, "%s", reason);
        return 1;
    }
    mhz = cpuid_read(&platform->cpuid, BASE_LEAF, 0).eax & 0xffff;
    if (mhz == 0)
        claim_absent(out, BASE_SOURCE, CLAIM_TSC, true, "EAX is zero");
    else
        claim_present(out, BASE_SOURCE, CLAIM_TSC, true, (uint64_t)mhz * MILLIHERTZ_PER_MHZ,
                      MILLIHERTZ_PER_MHZ, "the CPU's base frequency");
    return 1;
}

const struct claim_source claim_leaf_16 = {.name = BASE_SOURCE, .collect = collect_leaf_16};
