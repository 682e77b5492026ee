// Hyper-V's frequency MSRs: TSC and APIC timer in hertz. TLFS, "Timers", "Frequency MSRs".
#include <machine.h>

#include "kernel/claims/claims.h"
#include "kernel/hyperv.h"
#include "lib/text.h"

#define MSR_SOURCE "hyperv-msr"

static void state(struct claim *claim, enum claim_clock clock, uint32_t msr, const char *gate)
{
    uint64_t hertz, rate;

    if (!machine_rdmsr(msr, &hertz)) {
        claim_absent(claim, MSR_SOURCE, clock, false, "reading MSR 0x%08x raises #GP%s", msr, gate);
        return;
    }
    if (__builtin_mul_overflow(hertz, MILLIHERTZ_PER_HZ, &rate))
        rate = UINT64_MAX;
    claim_stated(claim, MSR_SOURCE, clock, false, rate, MILLIHERTZ_PER_HZ, "MSR 0x%08x%s", msr,
                 gate);
}

static size_t collect_hyperv_msr(const struct platform *platform, struct claim *out, size_t max)
{
    char reason[CLAIM_RANGE_SIZE];
    struct cpuid_words features;
    const char *gate = "";

    if (max < 2)
        return 0;
    if (!hyperv_features(platform, &features, reason, sizeof(reason)))
        return claim_foreign(out, max, MSR_SOURCE, false, reason);
    bool access = features.eax & HYPERV_ACCESS_FREQUENCIES;
    bool available = features.edx & HYPERV_FREQUENCIES_AVAILABLE;
    if (!access && !available) {
        claim_absent(out, MSR_SOURCE, CLAIM_TSC, false,
                     "leaf 0x%08x: EAX bit 11 and EDX bit 8 are clear", CPUID_HYPERV_FEATURES);
        return 1;
    }
    // Xen sets only the first (docs/claims.md), and Linux then ignores the MSRs. Reading is safe.
    if (!available)
        gate = "; EDX bit 8 is clear";
    if (!access)
        gate = "; EAX bit 11 is clear";
    state(&out[0], CLAIM_TSC, HYPERV_MSR_TSC_FREQUENCY, gate);
    state(&out[1], CLAIM_BUS, HYPERV_MSR_APIC_FREQUENCY, gate);
    return 2;
}

const struct claim_source claim_hyperv_msr = {.name = MSR_SOURCE, .collect = collect_hyperv_msr};
