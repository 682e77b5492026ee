// KVM's clock, where the host's own readings of it can be had. Linux
// Documentation/virt/kvm/x86/msr.rst and arch/x86/include/asm/pvclock-abi.h.
//
// What a guest usually reads is the TSC, scaled by the rate that KVM states: that repeats the
// claim. But when the boot CPU registers by the old MSR, KVM stops deriving one clock for all CPUs
// from the TSC ("master clock"), clears the stable flag, and answers each write of the MSR with a
// pair of its own: it reads the TSC, then the host's clock (arch/x86/kvm/x86.c:
// kvm_write_system_time, pvclock_update_vm_gtod_copy, kvm_guest_time_update). Such a pair is a
// reading of the host's clock, bracketed by its own TSC value and the TSC after the write. A pair
// that is stale, or has the stable flag, is none.
#include "kernel/pvclock.h"
#include "kernel/clock.h"

#include "lib/text.h"

#define ENABLE              1u
#define FEATURE_CLOCKSOURCE 1u           // in EAX of the feature leaf: the old MSRs are there
#define MODULUS             (1ull << 48) // ns; 3.2 days
#define PAIRS_TRIED         4

static _Alignas(64) struct pvclock_time page;

static void read(struct bracket *bracket)
{
    struct pvclock_time pair;

    machine_bracket_wrmsr(PVCLOCK_MSR_OLD, (uint64_t)(uintptr_t)&page | ENABLE, bracket);
    if (!pvclock_copy(&page, &pair) || pair.flags & PVCLOCK_TSC_STABLE ||
        pair.tsc_timestamp < bracket->before || pair.tsc_timestamp > bracket->after) {
        bracket->value = CLOCK_NO_READING;
        return;
    }
    bracket->before = pair.tsc_timestamp;
    bracket->value = pair.system_time % MODULUS;
}

static enum clock_status probe(const struct platform *platform, struct clock_info *info,
                               char *reason, size_t reason_size)
{
    struct bracket bracket;
    unsigned fresh = 0;

    const struct block *block = scan_block_signed(&platform->scan, PVCLOCK_SIGNATURE);
    if (!block || block->last_leaf <= block->base) {
        text_print(reason, reason_size, "%s", block ? "KVM has no feature leaf" : "no KVM leaves");
        return CLOCK_ABSENT;
    }
    if (!(cpuid_read(&platform->cpuid, block->base + 1, 0).eax & FEATURE_CLOCKSOURCE)) {
        text_print(reason, reason_size, "leaf 0x%08x EAX bit 0 is clear", block->base + 1);
        return CLOCK_ABSENT;
    }
    if (!machine_wrmsr(PVCLOCK_MSR_OLD, (uint64_t)(uintptr_t)&page | ENABLE)) {
        text_print(reason, reason_size, "writing MSR 0x%x raises #GP", PVCLOCK_MSR_OLD);
        return CLOCK_ABSENT;
    }
    for (unsigned i = 0; i < PAIRS_TRIED; i++) {
        read(&bracket);
        fresh += bracket.value != CLOCK_NO_READING;
    }
    if (fresh < PAIRS_TRIED) {
        machine_wrmsr(PVCLOCK_MSR_OLD, 0);
        info->independence = CLOCK_DERIVED;
        text_print(reason, reason_size, "KVM derives it from the TSC (flags 0x%02x): no witness",
                   page.flags);
        return CLOCK_DISABLED;
    }
    info->nominal = (struct hertz){1000000000, 1};
    info->rate_source = "nanoseconds, pvclock ABI";
    info->bits = 64;
    info->modulus = MODULUS;
    info->wraps = true;
    text_print(info->detail, sizeof(info->detail), "MSR 0x%x, pairs of the host", PVCLOCK_MSR_OLD);
    return CLOCK_LIVE;
}

const struct reference_clock clock_pvclock = {.name = "pvclock", .probe = probe, .read = read};
