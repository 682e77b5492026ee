// Jailhouse states the rates of the TSC and of the APIC timer in the setup data that its loader
// chains to Linux's boot parameters, before it enters the kernel by the 64-bit entry (Siemens
// jailhouse, inmates/tools/x86/linux-loader.c); boot/linux.c reads it. They are in the
// communication region, too, whose address only the cell's configuration knows.
#include "kernel/claims/claims.h"

#define JAILHOUSE_SOURCE "jailhouse"

static size_t collect_jailhouse(const struct platform *platform, struct claim *out, size_t max)
{
    const struct jailhouse_setup *setup = &platform->boot->jailhouse;

    if (!setup->present && !scan_has_vendor(&platform->scan, "Jailhouse"))
        return claim_foreign(out, max, JAILHOUSE_SOURCE, false, "no Jailhouse leaves");
    if (max < 2)
        return 0;
    if (!setup->present) {
        claim_absent(out, JAILHOUSE_SOURCE, CLAIM_TSC, false,
                     "no Jailhouse setup data was handed over");
        return 1;
    }
    claim_stated(&out[0], JAILHOUSE_SOURCE, CLAIM_TSC, false,
                 (uint64_t)setup->tsc_khz * MILLIHERTZ_PER_KHZ, MILLIHERTZ_PER_KHZ, "setup data");
    claim_stated(&out[1], JAILHOUSE_SOURCE, CLAIM_BUS, false,
                 (uint64_t)setup->apic_khz * MILLIHERTZ_PER_KHZ, MILLIHERTZ_PER_KHZ, "setup data");
    return 2;
}

const struct claim_source claim_jailhouse = {.name = JAILHOUSE_SOURCE,
                                             .collect = collect_jailhouse};
