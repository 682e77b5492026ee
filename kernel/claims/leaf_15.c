// CPUID 0x15: EAX and EBX are denominator and numerator of TSC / crystal, ECX is the crystal in Hz.
// Intel SDM vol. 2A, CPUID, and vol. 3B, "Determining the Processor Base Frequency". The APIC timer
// counts the crystal (vol. 3A, "APIC Timer"): it is the bus rate.
#include "kernel/claims/claims.h"

#include "lib/text.h"
#include "lib/wide.h"

#define RATIO_SOURCE      "leaf-0x15"
#define RATIO_LEAF        0x15u
#define CRYSTAL_BASE_LEAF 0x16u

#define CRYSTAL_GRANULARITY 1000u       // 1 Hz, the unit of ECX
#define BASE_GRANULARITY    1000000000u // 1 MHz, the unit of leaf 0x16

// Crystals of Intel CPUs of family 6 that leave ECX 0. Model 0x55 is not among them: it is the name
// of CPUs with 24 MHz (Skylake-X) and with 25 MHz (Skylake-SP), so leaf 0x16 decides.
static const struct {
    uint8_t model;
    uint32_t hz;
} crystals[] = {
    // NetBSD sys/arch/x86/x86/identcpu_subr.c
    {0x4e, 24000000}, // Skylake
    {0x5e, 24000000},
    {0x8e, 24000000}, // Kaby Lake
    {0x9e, 24000000},
    {0x5c, 19200000}, // Goldmont
    {0x5f, 25000000}, // Denverton; also Linux arch/x86/kernel/tsc.c
    // OpenBSD sys/arch/amd64/amd64/tsc.c
    {0xa5, 24000000}, // Comet Lake
    {0xa6, 24000000},
    // Linux tools/power/x86/turbostat/turbostat.c
    {0x7a, 19200000}, // Goldmont Plus
};

struct ratio {
    uint32_t denominator, numerator;
    uint64_t crystal_millihertz; // 0: not known
    uint64_t tsc_millihertz;
    uint64_t tsc_granularity, crystal_granularity; // millihertz
    char rests_on[64];
};

// a * b / c to the nearest; c is not 0.
static uint64_t scaled(uint64_t a, uint64_t b, uint64_t c)
{
    return wide_quotient((uint128)a * b + c / 2, c);
}

static uint32_t crystal_of_model(const struct platform *platform, uint32_t *model)
{
    uint32_t eax;

    if (!text_equal(platform->scan.cpu_vendor, "GenuineIntel"))
        return 0;
    // SDM vol. 2A, CPUID, figure 3-6: family 11:8, model 7:4, extended model 19:16.
    eax = cpuid_read(&platform->cpuid, 1, 0).eax;
    *model = (eax >> 12 & 0xf0) | (eax >> 4 & 0xf);
    for (size_t i = 0; i < ARRAY_SIZE(crystals); i++)
        if ((eax >> 8 & 0xf) == 6 && crystals[i].model == *model)
            return crystals[i].hz;
    return 0;
}

// The crystal from where it can be had: ECX, the model, or backwards from leaf 0x16, whose base
// frequency is crystal * numerator / denominator.
static void find_crystal(const struct platform *platform, uint32_t ecx, struct ratio *ratio)
{
    uint32_t model = 0, base_mhz = 0;
    uint64_t hz = ecx ? ecx : crystal_of_model(platform, &model);

    if (!hz && platform->scan.max_basic >= CRYSTAL_BASE_LEAF)
        base_mhz = cpuid_read(&platform->cpuid, CRYSTAL_BASE_LEAF, 0).eax & 0xffff;
    if (base_mhz) {
        ratio->tsc_millihertz = (uint64_t)base_mhz * BASE_GRANULARITY;
        ratio->tsc_granularity = BASE_GRANULARITY;
        ratio->crystal_millihertz =
            scaled(ratio->tsc_millihertz, ratio->denominator, ratio->numerator);
        ratio->crystal_granularity =
            wide_mul_div_up(BASE_GRANULARITY, ratio->denominator, ratio->numerator);
        text_print(ratio->rests_on, sizeof(ratio->rests_on), "crystal from leaf 0x16, %u MHz",
                   base_mhz);
        return;
    }
    ratio->crystal_millihertz = hz * MILLIHERTZ_PER_HZ;
    ratio->crystal_granularity = CRYSTAL_GRANULARITY;
    ratio->tsc_millihertz = scaled(ratio->crystal_millihertz, ratio->numerator, ratio->denominator);
    ratio->tsc_granularity =
        wide_mul_div_up(CRYSTAL_GRANULARITY, ratio->numerator, ratio->denominator);
    if (ecx)
        text_print(ratio->rests_on, sizeof(ratio->rests_on), "crystal %u Hz * %u / %u", ecx,
                   ratio->numerator, ratio->denominator);
    else
        text_print(ratio->rests_on, sizeof(ratio->rests_on), "crystal of Intel model 0x%x", model);
}

static void both_absent(struct claim *out, const char *reason)
{
    claim_absent(&out[0], RATIO_SOURCE, CLAIM_TSC, true, "%s", reason);
    claim_absent(&out[1], RATIO_SOURCE, CLAIM_BUS, true, "%s", reason);
}

static size_t collect_leaf_15(const struct platform *platform, struct claim *out, size_t max)
{
    struct ratio ratio = {0};
    struct cpuid_words words;
    char reason[CLAIM_RANGE_SIZE];

    if (max < 2)
        return 0;
    if (!claim_leaf_in_range(&platform->scan, RATIO_LEAF, reason)) {
        both_absent(out, reason);
        return 2;
    }
    words = cpuid_read(&platform->cpuid, RATIO_LEAF, 0);
    ratio.denominator = words.eax;
    ratio.numerator = words.ebx;
    if (!words.eax || !words.ebx) {
        both_absent(out,
                    words.eax ? "EBX, the numerator, is zero" : "EAX, the denominator, is zero");
        if (words.ecx)
            claim_stated(&out[1], RATIO_SOURCE, CLAIM_BUS, true,
                         (uint64_t)words.ecx * MILLIHERTZ_PER_HZ, CRYSTAL_GRANULARITY,
                         "crystal %u Hz", words.ecx);
        return 2;
    }
    find_crystal(platform, words.ecx, &ratio);
    if (!ratio.crystal_millihertz) {
        both_absent(out, "ECX is zero, and neither the model nor leaf 0x16 gives the crystal");
        return 2;
    }
    claim_stated(&out[0], RATIO_SOURCE, CLAIM_TSC, true, ratio.tsc_millihertz,
                 ratio.tsc_granularity, "%s", ratio.rests_on);
    claim_stated(&out[1], RATIO_SOURCE, CLAIM_BUS, true, ratio.crystal_millihertz,
                 ratio.crystal_granularity, "%s", ratio.rests_on);
    return 2;
}

const struct claim_source claim_leaf_15 = {.name = RATIO_SOURCE, .collect = collect_leaf_15};
