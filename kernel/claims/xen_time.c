// What Xen states in its time page.
#include "kernel/xen.h"

#include "kernel/claims/claims.h"

#define TIME_SOURCE "xen-time"

static size_t collect_xen_time(const struct platform *platform, struct claim *out, size_t max)
{
    char reason[CLAIM_RANGE_SIZE];
    struct pvclock_time time;

    if (!scan_block_signed(&platform->scan, XEN_SIGNATURE))
        return claim_foreign(out, max, TIME_SOURCE, false, "no Xen leaves");
    if (max < 1)
        return 0;
    if (!xen_time_enable(platform, reason, sizeof(reason)))
        claim_absent(out, TIME_SOURCE, CLAIM_TSC, false, "%s", reason);
    else if (!xen_time_snapshot(&time))
        claim_absent(out, TIME_SOURCE, CLAIM_TSC, false, "its page %s",
                     time.version ? "is being written without end" : "was never written");
    else
        claim_scaled(out, TIME_SOURCE, time.mul, time.shift);
    return 1;
}

const struct claim_source claim_xen_time = {.name = TIME_SOURCE, .collect = collect_xen_time};
