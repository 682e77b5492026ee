// Hyper-V's partition reference counter: MSR 0x40000020 counts 100 ns. Hypervisor Top Level
// Functional Specification (TLFS), "Timers", "Partition Reference Counter".
#include "kernel/clock.h"
#include "kernel/hyperv.h"

#include "lib/text.h"

#define MSR_REFERENCE_COUNT 0x40000020u // HV_X64_MSR_TIME_REF_COUNT

// Is it Hyper-V's own? Those who show its interface compute the count from the TSC, by their idea
// of its rate: KVM (arch/x86/kvm/hyperv.c, get_kvmclock_ns), Xen (xen/arch/x86/hvm/viridian/time.c,
// raw_trc_val), ACRN (hyperv_get_ref_count) and VirtualBox (gimHvGetTimeRefCount, by whole ticks in
// 100 ns). Such a count repeats what they claim. QEMU and VirtualBox can hide behind the signature.
static bool is_hyperv(const struct evidence *evidence)
{
    const char *platform = evidence->platform;

    return evidence->hypervisor && text_equal(evidence->hypervisor, "Hyper-V") &&
           !(platform && (text_equal(platform, "QEMU") || text_equal(platform, "VirtualBox")));
}

static enum clock_status probe(const struct platform *platform, struct clock_info *info,
                               char *reason, size_t reason_size)
{
    struct cpuid_words features;
    uint64_t count;

    if (!hyperv_features(platform, &features, reason, reason_size))
        return CLOCK_ABSENT;
    if (!(features.eax & HYPERV_ACCESS_REFERENCE_COUNT)) {
        text_print(reason, reason_size, "leaf 0x%08x EAX bit 1 is clear", CPUID_HYPERV_FEATURES);
        return CLOCK_ABSENT;
    }
    if (!machine_rdmsr(MSR_REFERENCE_COUNT, &count)) {
        text_print(reason, reason_size, "reading MSR 0x%08x raises #GP", MSR_REFERENCE_COUNT);
        return CLOCK_ABSENT;
    }
    info->nominal = (struct hertz){10000000, 1};
    info->rate_source = "100 ns, TLFS";
    info->bits = 64;
    // A bracket takes the low half.
    info->modulus = 1ull << 32;
    info->wraps = true;
    info->whole = true;
    if (!is_hyperv(&platform->evidence))
        info->independence = CLOCK_DERIVED;
    text_print(info->detail, sizeof(info->detail), "MSR 0x%08x", MSR_REFERENCE_COUNT);
    return CLOCK_LIVE;
}

static void read(struct bracket *bracket)
{
    machine_bracket_msr(MSR_REFERENCE_COUNT, bracket);
}

static uint64_t read_whole(void)
{
    uint64_t count;

    machine_rdmsr(MSR_REFERENCE_COUNT, &count);
    return count;
}

const struct reference_clock clock_hyperv_refcount = {
    .name = "hyperv-refcount",
    .probe = probe,
    .read = read,
    .read_whole = read_whole,
};
