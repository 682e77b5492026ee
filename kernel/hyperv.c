#include "kernel/hyperv.h"

#include <machine.h>

#include "lib/text.h"

#define MSR_REFERENCE_TSC 0x40000021u // HV_X64_MSR_REFERENCE_TSC: page number in bits 63:12
#define MSR_ENABLE        1u

// The hypervisor may lay its own page over ours, so nothing else may be in it.
static _Alignas(PAGE_SIZE) union {
    struct hyperv_page time;
    uint8_t bytes[PAGE_SIZE];
} page;
static uint64_t previous;

bool hyperv_features(const struct platform *platform, struct cpuid_words *features, char *reason,
                     size_t reason_size)
{
    if (!text_equal(platform->scan.interface_signature, "Hv#1")) {
        text_print(reason, reason_size, "no Hyper-V interface");
        return false;
    }
    if (platform->scan.max_leaf < CPUID_HYPERV_FEATURES) {
        text_print(reason, reason_size, "max leaf 0x%08x is below 0x%08x", platform->scan.max_leaf,
                   CPUID_HYPERV_FEATURES);
        return false;
    }
    *features = cpuid_read(&platform->cpuid, CPUID_HYPERV_FEATURES, 0);
    return true;
}

bool hyperv_page_enable(const struct platform *platform, char *reason, size_t reason_size)
{
    struct cpuid_words features;

    if (!hyperv_features(platform, &features, reason, reason_size))
        return false;
    if (!(features.eax & HYPERV_ACCESS_REFERENCE_TSC)) {
        text_print(reason, reason_size, "leaf 0x%08x EAX bit 9 is clear", CPUID_HYPERV_FEATURES);
        return false;
    }
    memset(&page, 0, sizeof(page));
    if (machine_rdmsr(MSR_REFERENCE_TSC, &previous) &&
        machine_wrmsr(MSR_REFERENCE_TSC, (uint64_t)(uintptr_t)&page | MSR_ENABLE))
        return true;
    text_print(reason, reason_size, "MSR 0x%08x raises #GP", MSR_REFERENCE_TSC);
    return false;
}

bool hyperv_page_snapshot(struct hyperv_page *out)
{
    return hyperv_page_copy(&page.time, out);
}

void hyperv_page_restore(void)
{
    machine_wrmsr(MSR_REFERENCE_TSC, previous);
}
