#include "kernel/costs.h"

#include <machine.h>

#include "kernel/apic.h"
#include "kernel/hyperv.h"
#include "kernel/pvclock.h"
#include "kernel/smp.h"
#include "kernel/vmware.h"
#include "lib/cpu_rate.h"
#include "lib/sample.h"
#include "lib/text.h"

#define STEP_READINGS 64
#define SAMPLES_LEAST 9 // one stall must not be the median
#define WARM_UP       4 // translation in an emulator, cold caches elsewhere

#define LEAF_FEATURES   1u
#define HAS_DEADLINE    (1u << 24) // ECX: Intel SDM vol. 3A, 10.5.4.1
#define LEAF_STRUCTURED 7u
#define HAS_RDTSCP      (1u << 27) // EDX: SDM vol. 2A, CPUID
#define MSR_TSC         0x10u      // IA32_TIME_STAMP_COUNTER
#define POST_CODES      0x80       // port to which anything may be written

#define ONE_GHZ_PPB 100000u // a measurement so narrow that the round number is no accident

const char *rdtsc_kind_word(enum rdtsc_kind kind)
{
    static const char *const words[] = {"unknown", "direct", "trapped", "emulated"};

    return words[kind];
}

const char *rdtscp_state_word(enum rdtscp_state state)
{
    static const char *const words[] = {"absent", "faults", "consistent", "inconsistent"};

    return words[state];
}

// --- One row

struct access {
    const struct clock_run *run;
    const struct apic *apic;
    uint32_t number; // CPUID leaf or MSR
};

static uint64_t row_limit; // cycles
static struct costs *costs;

// Adds a row. `act` is one access in a bracket.
static const struct cost *take(const struct access *access, const char *name,
                               void (*act)(const struct access *access, struct bracket *bracket))
{
    static uint64_t widths[COST_SAMPLES_MAX];
    static struct cost none;
    struct bracket bracket;
    uint64_t began = machine_tsc();

    if (costs->count == COSTS_MAX)
        return &none;
    struct cost *cost = &costs->rows[costs->count++];
    *cost = (struct cost){.samples = 0};
    text_print(cost->access, sizeof(cost->access), "%s", name);
    for (unsigned i = 0; i < WARM_UP + COST_SAMPLES_MAX; i++) {
        act(access, &bracket);
        if (i >= WARM_UP && bracket.after >= bracket.before)
            widths[cost->samples++] = bracket.after - bracket.before;
        uint64_t spent = bracket.after - began;
        if (cost->samples && spent > row_limit &&
            (cost->samples >= SAMPLES_LEAST || spent > 8 * row_limit))
            break;
    }
    if (!cost->samples)
        return cost;
    sample_sort(widths, cost->samples);
    cost->min_cycles = widths[0];
    cost->median_cycles = sample_quantile(widths, cost->samples, 500);
    cost->p99_cycles = sample_quantile(widths, cost->samples, 990);
    return cost;
}

static void take_numbered(const char *kind, uint32_t number,
                          void (*act)(const struct access *access, struct bracket *bracket))
{
    struct access access = {.number = number};
    char name[sizeof(costs->rows[0].access)];

    text_print(name, sizeof(name), "%s-0x%x", kind, number);
    take(&access, name, act);
}

// --- The accesses

static void act_bare(const struct access *access, struct bracket *bracket)
{
    (void)access;
    machine_bracket_bare(bracket);
}

static void act_nothing(const struct access *access, struct bracket *bracket)
{
    (void)access;
    machine_bracket_nothing(bracket);
}

static void act_nops(const struct access *access, struct bracket *bracket)
{
    (void)access;
    machine_bracket_nops(bracket);
}

static void act_rdtscp(const struct access *access, struct bracket *bracket)
{
    (void)access;
    machine_bracket_rdtscp(bracket);
    if (bracket->value < bracket->before || bracket->value > bracket->after)
        costs->rdtscp = RDTSCP_INCONSISTENT;
}

static void act_cpuid(const struct access *access, struct bracket *bracket)
{
    machine_bracket_cpuid(access->number, bracket);
}

static void act_rdmsr(const struct access *access, struct bracket *bracket)
{
    machine_bracket_msr(access->number, bracket);
}

static void act_gethz(const struct access *access, struct bracket *bracket)
{
    (void)access;
    vmware_bracket_gethz(bracket);
}

static void act_post_code(const struct access *access, struct bracket *bracket)
{
    (void)access;
    machine_bracket_out8(POST_CODES, 0, bracket);
}

static void act_apic(const struct access *access, struct bracket *bracket)
{
    machine_bracket_mmio32(access->apic->base + APIC_VERSION, bracket);
}

static void act_clock(const struct access *access, struct bracket *bracket)
{
    access->run->clock->read(bracket);
}

// --- The table

static void take_msr(uint32_t msr)
{
    uint64_t value;

    if (machine_rdmsr(msr, &value))
        take_numbered("rdmsr", msr, act_rdmsr);
}

static void take_clocks(const struct measurement *measurement)
{
    for (size_t i = 0; i < measurement->count; i++) {
        struct access access = {.run = &measurement->clocks[i]};
        char name[sizeof(costs->rows[0].access)];
        if (access.run->status != CLOCK_LIVE && access.run->status != CLOCK_COARSE)
            continue;
        text_print(name, sizeof(name), "clock-%s", access.run->clock->name);
        take(&access, name, act_clock);
    }
}

// The MSRs and the port that claims were read from.
static void take_claims(const struct claim *claims, size_t count)
{
    const struct {
        const char *source;
        uint32_t msr; // 0: the port
    } sources[] = {
        {"msr-0xce", INTEL_MSR_PLATFORM_INFO},
        {"msr-fsb", INTEL_MSR_FSB_FREQ},
        {"amd-pstate", AMD_MSR_PSTATE_0},
        {"hyperv-msr", HYPERV_MSR_TSC_FREQUENCY},
        {"pvclock", pvclock_msr()},
        {"vmware-port", 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
        for (size_t j = 0; j < count; j++) {
            if (!claims[j].present || !text_equal(claims[j].source, sources[i].source))
                continue;
            if (sources[i].msr)
                take_msr(sources[i].msr);
            else
                take(NULL, "vmware-port", act_gethz);
            break; // a source may make two claims
        }
}

static void take_apic(const struct platform *platform)
{
    struct apic apic;
    struct access access = {.apic = &apic};
    char reason[128];

    if (apic_find(&apic, platform, reason, sizeof(reason)) != CLOCK_LIVE)
        return;
    if (apic.x2apic)
        take_msr(APIC_X2APIC_MSR(APIC_VERSION));
    else
        take(&access, "mmio-lapic", act_apic);
}

// What all differences of readings have in common. They are far apart, since some CPUs add 1 to a
// second reading within one step, and unevenly so, since an emulator may count instructions.
static uint64_t find_step(void)
{
    uint64_t step = 0;
    uint64_t last = machine_tsc();

    for (unsigned i = 0; i < STEP_READINGS; i++) {
        for (unsigned j = 0; j < 8 + (i * 5 & 7); j++)
            machine_pause();
        uint64_t now = machine_tsc();
        step = sample_gcd(step, now - last);
        last = now;
    }
    return step ? step : 1;
}

static enum rdtsc_kind kind_of_rdtsc(void)
{
    if (costs->step_cycles >= COST_TRAPPED_CYCLES)
        return RDTSC_UNKNOWN;
    if (costs->nop_cycles >= COST_EMULATED_CYCLES)
        return RDTSC_EMULATED;
    return costs->rdtsc_cycles >= COST_TRAPPED_CYCLES ? RDTSC_TRAPPED : RDTSC_DIRECT;
}

static void examine_tsc(const struct platform *platform, const struct measurement *measurement)
{
    const struct rate_interval *rate = &measurement->all;

    costs->step_cycles = find_step();
    costs->rdtsc_cycles = take(NULL, "rdtsc", act_bare)->median_cycles;
    uint64_t nothing = take(NULL, "rdtsc-fenced", act_nothing)->median_cycles;
    uint64_t nops = take(NULL, "nop-16", act_nops)->median_cycles;
    costs->nop_cycles = nops > nothing ? (nops - nothing) / MACHINE_NOPS : 0;
    costs->rdtsc = kind_of_rdtsc();
    costs->one_ghz = measurement->decided && measurement->half_width_ppb <= ONE_GHZ_PPB &&
                     rate->low <= MILLIHERTZ_PER_GHZ && MILLIHERTZ_PER_GHZ <= rate->high;
    if (cpuid_read(&platform->cpuid, CPUID_EXTENDED, 0).eax >= CPUID_EXTENDED_FEATURES &&
        cpuid_read(&platform->cpuid, CPUID_EXTENDED_FEATURES, 0).edx & HAS_RDTSCP) {
        costs->rdtscp = machine_can_rdtscp() ? RDTSCP_CONSISTENT : RDTSCP_FAULTS;
        if (costs->rdtscp == RDTSCP_CONSISTENT)
            take(NULL, "rdtscp", act_rdtscp);
    }
    costs->has_deadline = cpuid_read(&platform->cpuid, LEAF_FEATURES, 0).ecx & HAS_DEADLINE;
    costs->has_adjust =
        cpuid_read(&platform->cpuid, 0, 0).eax >= LEAF_STRUCTURED &&
        cpuid_read(&platform->cpuid, LEAF_STRUCTURED, 0).ebx & CPUID_7_EBX_TSC_ADJUST &&
        machine_rdmsr(MSR_TSC_ADJUST, &costs->adjust);
}

void costs_measure(struct costs *out, const struct platform *platform, const struct claim *claims,
                   size_t claim_count, const struct measurement *measurement)
{
    costs = out;
    memset(costs, 0, sizeof(*costs));
    costs->ran = platform->options.sections & SECTION_COSTS && measurement->tsc_advances;
    if (!costs->ran)
        return;
    row_limit = measurement->tsc_millihertz
                    ? rate_ns_to_cycles(COST_ROW_NS, measurement->tsc_millihertz)
                    : COST_ROW_CYCLES;
    examine_tsc(platform, measurement);
    take_numbered("cpuid", LEAF_FEATURES, act_cpuid);
    if (platform_is_virtual(platform))
        take_numbered("cpuid", CPUID_HYPERVISOR_BASE, act_cpuid);
    take_clocks(measurement);
    take_msr(MSR_TSC);
    if (costs->has_adjust)
        take_msr(MSR_TSC_ADJUST);
    take_claims(claims, claim_count);
    take(NULL, "out-0x80", act_post_code);
    take_apic(platform);
}
