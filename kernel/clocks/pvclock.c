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
#include "kernel/clock.h"

#include "lib/text.h"

#define MSR_SYSTEM_TIME_OLD 0x12u
#define ENABLE              1u
#define LEAF_FEATURES       1u // beyond the block's base; EAX
#define FEATURE_CLOCKSOURCE 1u // the old MSRs are there
#define FLAG_STABLE         1u
#define MODULUS             (1ull << 48) // ns; 3.2 days
#define PAIRS_TRIED         4

// struct pvclock_vcpu_time_info: 32 bytes, in one page.
struct pair {
    uint32_t version; // odd while the host writes
    uint32_t unused;
    uint64_t tsc_timestamp;
    uint64_t system_time; // ns
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift;
    uint8_t flags;
    uint8_t pad[2];
};
_Static_assert(sizeof(struct pair) == 32, "the host writes 32 bytes");

static volatile struct pair pair __attribute__((aligned(32)));

static void read(struct bracket *bracket)
{
    machine_bracket_wrmsr(MSR_SYSTEM_TIME_OLD, (uint64_t)(uintptr_t)&pair | ENABLE, bracket);
    uint64_t tsc = pair.tsc_timestamp;
    if (pair.version & 1 || pair.flags & FLAG_STABLE || tsc < bracket->before ||
        tsc > bracket->after) {
        bracket->value = CLOCK_NO_READING;
        return;
    }
    bracket->before = tsc;
    bracket->value = pair.system_time % MODULUS;
}

static const struct block *find(const struct platform *platform)
{
    for (size_t i = 0; i < platform->scan.block_count; i++) {
        const struct block *block = &platform->scan.blocks[i];
        if (block->known && text_equal(block->known->vendor, "KVM") &&
            cpuid_read(&platform->cpuid, block->base + LEAF_FEATURES, 0).eax & FEATURE_CLOCKSOURCE)
            return block;
    }
    return NULL;
}

static enum clock_status probe(const struct platform *platform, struct clock_info *info,
                               char *reason, size_t reason_size)
{
    struct bracket bracket;
    unsigned fresh = 0;

    if (!find(platform)) {
        text_print(reason, reason_size, "no KVM leaf whose EAX has bit 0, the old clock MSRs");
        return CLOCK_ABSENT;
    }
    if (!machine_wrmsr(MSR_SYSTEM_TIME_OLD, (uint64_t)(uintptr_t)&pair | ENABLE)) {
        text_print(reason, reason_size, "writing MSR 0x%x raises #GP", MSR_SYSTEM_TIME_OLD);
        return CLOCK_ABSENT;
    }
    for (unsigned i = 0; i < PAIRS_TRIED; i++) {
        read(&bracket);
        fresh += bracket.value != CLOCK_NO_READING;
    }
    if (fresh < PAIRS_TRIED) {
        machine_wrmsr(MSR_SYSTEM_TIME_OLD, 0);
        text_print(reason, reason_size, "KVM derives it from the TSC (flags 0x%02x): no witness",
                   pair.flags);
        return CLOCK_DISABLED;
    }
    info->nominal = (struct hertz){1000000000, 1};
    info->rate_source = "nanoseconds, pvclock ABI";
    info->bits = 64;
    info->modulus = MODULUS;
    info->wraps = true;
    text_print(info->detail, sizeof(info->detail), "MSR 0x%x, pairs of the host",
               MSR_SYSTEM_TIME_OLD);
    return CLOCK_LIVE;
}

const struct reference_clock clock_pvclock = {.name = "pvclock", .probe = probe, .read = read};
