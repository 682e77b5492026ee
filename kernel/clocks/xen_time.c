// Xen's system time, where it is a witness. Xen public/xen.h, struct vcpu_time_info.
//
// Once a second Xen writes a new pair of TSC and system time to the page that kernel/xen.c has it
// map. On every host whose TSC runs at a constant rate the second half is the TSC, scaled by the
// rate that Xen states; where Xen emulates the TSC, the first half is the second one scaled: such
// pairs repeat the claim. Only where the host's TSC is not constant does Xen hold system time
// against its platform timer (xen/arch/x86/time.c, local_time_calibration): each pair then has a
// multiplier of its own, and where system time lagged behind, it is set to the platform timer. A
// pair with a new multiplier that lies ahead of the line of the pair before is such a reading; one
// on the line, or below it, is none.
#include "kernel/clock.h"
#include "kernel/xen.h"

#include "lib/text.h"

#define TIME_LEAF      3 // after the base
#define TSC_EMULATED   (1u << 0)
#define HOST_TSC_SAFE  (1u << 1)
#define MODULUS        (1ull << 48) // ns; 3.2 days
#define PERIOD_MS      1000         // EPOCH in Xen's time.c
#define GRANULARITY_NS 10000 // reading a platform timer and the TSC after it, with room to spare

static struct pvclock_time last; // version 0: none yet
static unsigned pairs, on_line;

static void read(struct bracket *bracket)
{
    struct pvclock_time pair;

    bracket->value = CLOCK_NO_READING;
    if (!xen_time_snapshot(&pair) || pair.tsc_timestamp == last.tsc_timestamp)
        return;
    bool set = last.version && (pair.mul != last.mul || pair.shift != last.shift) &&
               pair.system_time > pvclock_ns(&last, pair.tsc_timestamp);
    pairs++;
    on_line += last.version && !set;
    last = pair;
    if (!set)
        return;
    bracket->before = pair.tsc_timestamp;
    bracket->after = pair.tsc_timestamp + 1;
    bracket->value = pair.system_time % MODULUS;
}

// Why this clock is the TSC itself, or NULL where that has to be seen.
static const char *derived(const struct platform *platform, const struct block *block)
{
    const struct cpuid_source *cpuid = &platform->cpuid;
    uint32_t flags = block->last_leaf >= block->base + TIME_LEAF
                         ? cpuid_read(cpuid, block->base + TIME_LEAF, 0).eax
                         : 0;

    if (flags & TSC_EMULATED)
        return "it emulates the TSC";
    if (flags & HOST_TSC_SAFE || last.flags & PVCLOCK_TSC_STABLE)
        return "the host's TSC is reliable";
    if (cpuid_read(cpuid, CPUID_EXTENDED, 0).eax >= CPUID_EXTENDED_POWER &&
        cpuid_read(cpuid, CPUID_EXTENDED_POWER, 0).edx & CPUID_INVARIANT_TSC)
        return "the TSC is invariant";
    return NULL;
}

static enum clock_status probe(const struct platform *platform, struct clock_info *info,
                               char *reason, size_t reason_size)
{
    const struct block *block = scan_block_signed(&platform->scan, XEN_SIGNATURE);

    if (!xen_time_enable(platform, reason, reason_size))
        return CLOCK_ABSENT;
    if (!xen_time_snapshot(&last)) {
        text_print(reason, reason_size, "its page was never written");
        return CLOCK_ABSENT;
    }
    pairs = on_line = 0;
    const char *why = derived(platform, block);
    if (why) {
        info->independence = CLOCK_DERIVED;
        text_print(reason, reason_size, "%s: Xen's time is no witness of it", why);
        return CLOCK_DISABLED;
    }
    info->nominal = (struct hertz){1000000000, 1};
    info->rate_source = "nanoseconds, Xen's ABI";
    info->bits = 64;
    info->modulus = MODULUS;
    info->wraps = true;
    info->posted_ms = PERIOD_MS;
    info->posted_ticks = GRANULARITY_NS;
    text_print(info->detail, sizeof(info->detail), "shared info page, one pair a second");
    return CLOCK_LIVE;
}

static void explain(char *reason, size_t reason_size)
{
    text_print(reason, reason_size, "of %u new pairs, %u only repeat the TSC: no witness", pairs,
               on_line);
}

const struct reference_clock clock_xen_time = {
    .name = "xen-time",
    .probe = probe,
    .read = read,
    .explain = explain,
};
