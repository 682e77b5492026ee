// What states the TSC's rate to each vCPU by itself: KVM's clock, and MSRs (kernel/smp_rows.c has
// read those). The claims of CPU 0 are judged like all others; here are those that differ.
#include <machine.h>

#include "kernel/smp.h"

#include "kernel/pvclock.h"
#include "lib/wide.h"

#define PPB 1000000000

const char *const vcpu_sources[VCPU_SOURCES] = {"pvclock", "hyperv-msr"};

const char *vcpu_claims_word(enum vcpu_claims claims)
{
    static const char *const words[] = {"none",  "same",    "ok", "inconclusive",
                                        "apart", "missing", "off"};

    return words[claims];
}

static bool has_pvclock;

// KVM gives all vCPUs one clock if CPU 0 has asked last by the newer MSR, as its guests do. The
// reference clock "pvclock" asks by the old one.
void smp_claims_start(const struct platform *platform)
{
    static struct pvclock_time area __attribute__((aligned(sizeof(struct pvclock_time))));
    struct pvclock_time unused;

    has_pvclock = scan_block_signed(&platform->scan, PVCLOCK_SIGNATURE) && pvclock_msr();
    if (has_pvclock)
        pvclock_read(&area, &unused);
}

void smp_claims_collect(struct vcpu *vcpu)
{
    if (!has_pvclock || !pvclock_read(&vcpu->area, &vcpu->pvclock))
        return;
    vcpu->pvclock_tsc = machine_tsc();
    vcpu->stated[VCPU_PVCLOCK].millihertz = pvclock_millihertz(
        vcpu->pvclock.mul, vcpu->pvclock.shift, &vcpu->stated[VCPU_PVCLOCK].granularity_millihertz);
}

// A bound of CPU 0's rate, times 1 + ppb / 10^9.
static uint64_t faster(uint64_t millihertz, int64_t ppb)
{
    return ppb <= -PPB ? 0 : wide_mul_div(millihertz, (uint64_t)(PPB + ppb), PPB);
}

static enum vcpu_claims judge(const struct vcpu *vcpu, unsigned source,
                              const struct options *options, const struct measurement *measurement)
{
    struct rate_interval rate = measurement->all;

    if (!measurement->decided || !vcpu->rate_known)
        return VCPU_CLAIMS_INCONCLUSIVE;
    rate.low = faster(rate.low, vcpu->rate_low_ppb);
    rate.high = faster(rate.high, vcpu->rate_high_ppb);
    rate.estimate = rate.low + (rate.high - rate.low) / 2;
    switch (claim_judge(vcpu->stated[source].millihertz,
                        vcpu->stated[source].granularity_millihertz, options->tolerance_ppb, rate)
                .verdict) {
    case VERDICT_OK:
        return VCPU_CLAIMS_OK;
    case VERDICT_OFF:
        return VCPU_CLAIMS_OFF;
    default:
        return VCPU_CLAIMS_INCONCLUSIVE;
    }
}

// A guest that reads the clock on either vCPU at one moment: the TSCs then are some offset in the
// enclosure apart, and the clock grows with the TSC.
static void compare_clocks(struct vcpu *vcpu, const struct vcpu *first, uint64_t skew_ns)
{
    uint64_t tsc = first->pvclock_tsc, there = pvclock_ns(&first->pvclock, tsc);

    vcpu->clock_known = true;
    vcpu->clock_low_ns =
        (int64_t)(pvclock_ns(&vcpu->pvclock, tsc + (uint64_t)vcpu->offset.low) - there);
    vcpu->clock_high_ns =
        (int64_t)(pvclock_ns(&vcpu->pvclock, tsc + (uint64_t)vcpu->offset.high) - there);
    vcpu->clock_off = skew_judge(vcpu->clock_low_ns, vcpu->clock_high_ns, skew_ns) == VERDICT_OFF;
}

void smp_claims_judge(struct vcpu *vcpu, const struct vcpu *first, const struct options *options,
                      const struct measurement *measurement)
{
    if (vcpu->measured && vcpu->offset.constant && vcpu->stated[VCPU_PVCLOCK].millihertz &&
        first->stated[VCPU_PVCLOCK].millihertz)
        compare_clocks(vcpu, first, options->skew_ns);
    vcpu->claims = vcpu->clock_off ? VCPU_CLAIMS_APART : VCPU_CLAIMS_NONE;
    for (unsigned i = 0; i < VCPU_SOURCES; i++) {
        uint64_t here = vcpu->stated[i].millihertz, there = first->stated[i].millihertz;
        enum vcpu_claims claims = here == there   ? here ? VCPU_CLAIMS_SAME : VCPU_CLAIMS_NONE
                                  : here && there ? judge(vcpu, i, options, measurement)
                                                  : VCPU_CLAIMS_MISSING;
        if (claims <= vcpu->claims)
            continue;
        vcpu->claims = claims;
        vcpu->claims_source = i;
    }
}
