// KVM's paravirtual clock: the host states the TSC's rate as a multiplier and a shift.
#include "kernel/pvclock.h"

#include "kernel/claims/claims.h"

#define PVCLOCK_SOURCE "pvclock"

static size_t collect_pvclock(const struct platform *platform, struct claim *out, size_t max)
{
    char reason[CLAIM_RANGE_SIZE];
    struct pvclock_time time;
    uint64_t rate, granularity;

    if (!scan_block_signed(&platform->scan, PVCLOCK_SIGNATURE))
        return claim_foreign(out, max, PVCLOCK_SOURCE, false, "no KVM leaves");
    if (max < 1)
        return 0;
    if (!pvclock_enable(platform, reason, sizeof(reason))) {
        claim_absent(out, PVCLOCK_SOURCE, CLAIM_TSC, false, "%s", reason);
        return 1;
    }
    bool valid = pvclock_snapshot(&time);
    pvclock_disable();
    if (!valid) {
        claim_absent(out, PVCLOCK_SOURCE, CLAIM_TSC, false, "its page %s",
                     time.version ? "is being written without end" : "was never written");
        return 1;
    }
    rate = pvclock_millihertz(time.mul, time.shift, &granularity);
    claim_stated(out, PVCLOCK_SOURCE, CLAIM_TSC, false, rate, granularity,
                 "MSR 0x%x: 0x%x, shift %d%s%s", pvclock_msr(), time.mul, time.shift,
                 time.flags & PVCLOCK_TSC_STABLE ? ", stable" : "",
                 time.flags & PVCLOCK_GUEST_STOPPED ? ", guest was stopped" : "");
    return 1;
}

const struct claim_source claim_pvclock = {.name = PVCLOCK_SOURCE, .collect = collect_pvclock};
