// Jailhouse states tsc_khz in the setup data that it chains to Linux's boot parameters, and in the
// communication region, whose address only the cell's configuration knows. Siemens jailhouse,
// include/jailhouse/hypercall.h and inmates/; Linux arch/x86/kernel/jailhouse.c. No leaf or MSR
// leads to either, and no boot door of ours is handed the setup data.
#include "kernel/claims/claims.h"

#define JAILHOUSE_SOURCE "jailhouse"

static size_t collect_jailhouse(const struct platform *platform, struct claim *out, size_t max)
{
    if (!scan_has_vendor(&platform->scan, "Jailhouse"))
        return claim_foreign(out, max, JAILHOUSE_SOURCE, false, "no Jailhouse leaves");
    if (max < 1)
        return 0;
    claim_absent(out, JAILHOUSE_SOURCE, CLAIM_TSC, false,
                 "it is in Linux's setup data, which reaches no boot door of ours");
    return 1;
}

const struct claim_source claim_jailhouse = {.name = JAILHOUSE_SOURCE,
                                             .collect = collect_jailhouse};
