#include "kernel/disturbance.h"

#include <machine.h>

#include "kernel/pvclock.h"
#include "lib/text.h"

#define SPIN_CYCLES 1000000000u // where the TSC's rate is not known

// What is typical: the least mean of some stretches, since a single distance may be no longer than
// the TSC's step.
#define STRETCHES     16
#define STRETCH_READS 64
#define STILL_READS   1000000
#define READS_MORE    1000000

// KVM's steal time: Linux Documentation/virt/kvm/x86/msr.rst, MSR_KVM_STEAL_TIME, and cpuid.rst,
// KVM_FEATURE_STEAL_TIME.
#define FEATURE_STEAL_TIME (1u << 5)
#define MSR_STEAL_TIME     0x4b564d03u
#define MSR_ENABLE         1u
#define STEAL_TRIES        1000

// The claim is compared with what the gaps lost, which leaves out the short ones and counts what
// the host's interrupts took.
#define STEAL_SLACK_NS 200000u

struct steal_time {
    uint64_t steal; // ns
    uint32_t version, flags;
    uint32_t rest[12];
};
_Static_assert(sizeof(struct steal_time) == 64, "as KVM defines it");

static _Alignas(64) volatile struct steal_time page;

const char *steal_state_word(enum steal_state state)
{
    static const char *const words[] = {"absent", "agrees", "more", "less"};

    return words[state];
}

// --- Steal time

static bool steal_enable(const struct platform *platform, char *reason, size_t reason_size)
{
    const struct block *block = scan_block_signed(&platform->scan, PVCLOCK_SIGNATURE);

    if (!block || block->last_leaf <= block->base) {
        text_print(reason, reason_size, "no KVM leaves");
        return false;
    }
    if (!(cpuid_read(&platform->cpuid, block->base + 1, 0).eax & FEATURE_STEAL_TIME)) {
        text_print(reason, reason_size, "leaf 0x%08x EAX bit 5 is clear", block->base + 1);
        return false;
    }
    page.steal = 0;
    page.version = 0;
    if (machine_wrmsr(MSR_STEAL_TIME, (uint64_t)(uintptr_t)&page | MSR_ENABLE))
        return true;
    text_print(reason, reason_size, "writing MSR 0x%x raises #GP", MSR_STEAL_TIME);
    return false;
}

// False: the host writes without end, or never did.
static bool steal_read(uint64_t *steal)
{
    for (unsigned i = 0; i < STEAL_TRIES; i++) {
        uint32_t version = page.version;
        *steal = page.steal;
        if (version && version % 2 == 0 && page.version == version)
            return true;
        machine_pause();
    }
    return false;
}

static void steal_judge(struct disturbance *disturbance, uint64_t lost_ns)
{
    uint64_t steal = disturbance->steal_ns;

    if (steal > lost_ns + lost_ns / 10 + STEAL_SLACK_NS)
        disturbance->steal = STEAL_MORE;
    else if (lost_ns / 2 > steal + STEAL_SLACK_NS)
        disturbance->steal = STEAL_LESS;
    else
        disturbance->steal = STEAL_AGREES;
}

// --- Gaps

// A sequence of readings.
struct spin {
    uint64_t first, last;
    unsigned still; // how many in a row were the same
};

static struct spin spin_start(void)
{
    uint64_t now = machine_tsc();

    return (struct spin){now, now, 0};
}

static void look(struct disturbance *disturbance, struct spin *spin)
{
    uint64_t now = machine_tsc();
    uint64_t distance = now - spin->last;

    disturbance->reads++;
    if ((int64_t)distance < 0) {
        disturbance->backwards++;
        spin->first -= spin->last - now; // the time that was spent remains
        distance = 0;
    }
    spin->last = now;
    spin->still = distance ? 0 : spin->still + 1;
    disturbance->octaves[distance ? 63 - __builtin_clzll(distance) : 0]++;
    if (distance <= disturbance->limit_cycles)
        return;
    disturbance->gaps++;
    disturbance->lost_cycles += distance - disturbance->typical_cycles;
    if (distance > disturbance->longest_cycles)
        disturbance->longest_cycles = distance;
}

static uint64_t find_typical(void)
{
    static struct disturbance unused;
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < STRETCHES; i++) {
        struct spin spin = spin_start();
        for (unsigned j = 0; j < STRETCH_READS; j++)
            look(&unused, &spin);
        if (spin.last - spin.first < least)
            least = spin.last - spin.first;
    }
    return least / STRETCH_READS + 1;
}

static void read_for(struct disturbance *disturbance, uint64_t cycles)
{
    uint64_t reads_left = cycles / (disturbance->typical_cycles / 4 + 1) + READS_MORE;
    struct spin spin = spin_start();

    while (spin.last - spin.first < cycles && !disturbance->stopped) {
        look(disturbance, &spin);
        disturbance->stopped = spin.still > STILL_READS || --reads_left == 0;
    }
    disturbance->spin_cycles = spin.last - spin.first;
}

void disturbance_measure(struct disturbance *disturbance, const struct platform *platform,
                         const struct measurement *measurement)
{
    uint64_t rate = measurement->tsc_millihertz;
    uint64_t before = 0, after = 0;
    char *reason = disturbance->steal_reason;

    memset(disturbance, 0, sizeof(*disturbance));
    disturbance->ran =
        platform->options.sections & SECTION_DISTURBANCE && measurement->tsc_advances;
    if (!disturbance->ran)
        return;
    uint64_t typical = find_typical();
    uint64_t step = measurement->tsc_step_cycles;
    disturbance->typical_cycles = typical;
    disturbance->limit_cycles = GAP_FACTOR * (typical > step ? typical : step);

    bool enabled = steal_enable(platform, reason, sizeof(disturbance->steal_reason));
    bool known = enabled && steal_read(&before);
    read_for(disturbance,
             rate ? rate_ns_to_cycles(platform->options.window_ns, rate) : SPIN_CYCLES);
    known = known && steal_read(&after);
    if (enabled)
        machine_wrmsr(MSR_STEAL_TIME, 0);
    disturbance->steal_ns = after - before;
    if (known && rate)
        steal_judge(disturbance, rate_cycles_to_ns(disturbance->lost_cycles, rate));
    else if (enabled)
        text_print(reason, sizeof(disturbance->steal_reason), "%s",
                   known          ? "the TSC's rate is not known"
                   : page.version ? "its page is being written without end"
                                  : "its page was never written");
}
