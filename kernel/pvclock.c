#include "kernel/pvclock.h"

#include <machine.h>

#include "lib/text.h"

#define FEATURE_CLOCKSOURCE  (1u << 0) // KVM_FEATURE_CLOCKSOURCE: the old MSRs
#define FEATURE_CLOCKSOURCE2 (1u << 3) // KVM_FEATURE_CLOCKSOURCE2: the newer ones
#define MSR_ENABLE           1u

// The host writes 32 bytes at an address that is a multiple of 4; so aligned they lie in one page.
static _Alignas(64) struct pvclock_time page;
static uint32_t msr;

static bool give(uint32_t index, struct pvclock_time *area)
{
    memset(area, 0, sizeof(*area));
    return machine_wrmsr(index, (uint64_t)(uintptr_t)area | MSR_ENABLE);
}

static bool enable(uint32_t index)
{
    msr = give(index, &page) ? index : 0;
    return msr != 0;
}

bool pvclock_enable(const struct platform *platform, char *reason, size_t reason_size)
{
    const struct block *block = scan_block_signed(&platform->scan, PVCLOCK_SIGNATURE);
    uint32_t features;

    if (!block || block->last_leaf <= block->base) {
        text_print(reason, reason_size, "%s", block ? "KVM has no feature leaf" : "no KVM leaves");
        return false;
    }
    features = cpuid_read(&platform->cpuid, block->base + 1, 0).eax;
    if (!(features & (FEATURE_CLOCKSOURCE | FEATURE_CLOCKSOURCE2))) {
        text_print(reason, reason_size, "leaf 0x%08x EAX bits 0 and 3 are clear", block->base + 1);
        return false;
    }
    if ((features & FEATURE_CLOCKSOURCE2 && enable(PVCLOCK_MSR)) ||
        (features & FEATURE_CLOCKSOURCE && enable(PVCLOCK_MSR_OLD)))
        return true;
    text_print(reason, reason_size, "writing MSR 0x%x%s raises #GP",
               (features & FEATURE_CLOCKSOURCE2) ? PVCLOCK_MSR : PVCLOCK_MSR_OLD,
               !(~features & (FEATURE_CLOCKSOURCE | FEATURE_CLOCKSOURCE2)) ? " and 0x12" : "");
    return false;
}

uint32_t pvclock_msr(void)
{
    return msr;
}

bool pvclock_snapshot(struct pvclock_time *out)
{
    return pvclock_copy(&page, out);
}

void pvclock_disable(void)
{
    machine_wrmsr(msr, 0);
}

bool pvclock_read(struct pvclock_time *area, struct pvclock_time *out)
{
    if (!give(msr, area))
        return false;
    bool valid = pvclock_copy(area, out);
    pvclock_disable();
    return valid;
}
