// Transmeta's leaf 0x80860001: ECX is the nominal rate in MHz. Linux
// arch/x86/kernel/cpu/transmeta.c.
#include "kernel/claims/claims.h"

#include "lib/text.h"

#define TRANSMETA_SOURCE "transmeta"
#define TRANSMETA_BASE   0x80860000u
#define TRANSMETA_LEAF   0x80860001u
#define OLD_REVISION     0x02000000u // EBX: ECX is then the code morphing software's revision

static size_t collect_transmeta(const struct platform *platform, struct claim *out, size_t max)
{
    const char *vendor = platform->scan.cpu_vendor;
    struct cpuid_words words;
    uint64_t rate;

    if (!text_equal(vendor, "GenuineTMx86") && !text_equal(vendor, "TransmetaCPU"))
        return claim_foreign(out, max, TRANSMETA_SOURCE, true, "not a Transmeta CPU");
    if (max < 1)
        return 0;
    if (cpuid_read(&platform->cpuid, TRANSMETA_BASE, 0).eax < TRANSMETA_LEAF) {
        claim_absent(out, TRANSMETA_SOURCE, CLAIM_TSC, true, "no leaf 0x%08x", TRANSMETA_LEAF);
        return 1;
    }
    words = cpuid_read(&platform->cpuid, TRANSMETA_LEAF, 0);
    rate = (uint64_t)words.ecx * MILLIHERTZ_PER_MHZ;
    if (words.ebx == OLD_REVISION)
        claim_absent(out, TRANSMETA_SOURCE, CLAIM_TSC, true, "revision 0x%08x states no rate",
                     OLD_REVISION);
    else
        claim_stated(out, TRANSMETA_SOURCE, CLAIM_TSC, true, rate, MILLIHERTZ_PER_MHZ, "ECX");
    return 1;
}

const struct claim_source claim_transmeta = {.name = TRANSMETA_SOURCE,
                                             .collect = collect_transmeta};
