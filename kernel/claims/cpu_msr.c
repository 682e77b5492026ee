// What a CPU's own MSRs state: Intel's ratio and bus clock, AMD's first P-state. lib/cpu_rate.c has
// the tables and formulas with their sources.
#include <machine.h>

#include "kernel/claims/claims.h"
#include "lib/cpu_rate.h"
#include "lib/text.h"

#define RATIO_SOURCE  "msr-0xce"
#define FSB_SOURCE    "msr-fsb"
#define PSTATE_SOURCE "amd-pstate"

#define MSR_HWCR       0xc0010015u // AMD BKDG and PPR, "Hardware Configuration"
#define HWCR_TSC_AT_P0 (1u << 24)  // TscFreqSel
#define POWER_BOOST    (1u << 9)   // EDX: core performance boost, APM vol. 3, CPUID

static struct cpu_model model_of(const struct platform *platform)
{
    return cpu_model_of(cpuid_read(&platform->cpuid, 1, 0).eax);
}

// Reads an MSR that `claim` rests on; where that raises #GP, the claim is absent.
static bool read_msr(struct claim *claim, const char *source, enum claim_clock clock, uint32_t msr,
                     uint64_t *value)
{
    if (machine_rdmsr(msr, value))
        return true;
    claim_absent(claim, source, clock, true, "reading MSR 0x%x raises #GP", msr);
    return false;
}

// The bus clock in mHz, or 0 with the claim made absent.
static uint64_t read_bus(const struct platform *platform, struct claim *claim, const char *source,
                         enum claim_clock clock, const struct intel_clocks *clocks)
{
    uint64_t value = 0, bus;

    if (clocks->bus_msr && !read_msr(claim, source, clock, clocks->bus_msr, &value))
        return 0;
    // That is a bus clock too, but also what hypervisors give for MSRs that they do not know.
    if (clocks->bus_msr && !value && platform->scan.present) {
        claim_absent(claim, source, clock, true, "MSR 0x%x reads as zero", clocks->bus_msr);
        return 0;
    }
    bus = intel_bus_millihertz(clocks, value);
    if (!bus)
        claim_absent(claim, source, clock, true, "MSR 0x%x holds 0x%llx: a reserved bus clock",
                     clocks->bus_msr, (unsigned long long)value);
    return bus;
}

// The TSC as ratio times bus clock. One step of the ratio is a bus clock.
static void state_ratio(const struct platform *platform, struct claim *claim, const char *source,
                        const struct intel_clocks *clocks)
{
    uint64_t value, bus;
    uint32_t ratio;
    char megahertz[DECIMAL_SIZE];

    if (!read_msr(claim, source, CLAIM_TSC, clocks->ratio_msr, &value))
        return;
    ratio = intel_ratio(clocks, value);
    if (!ratio) {
        claim_absent(claim, source, CLAIM_TSC, true, "the ratio in MSR 0x%x is zero",
                     clocks->ratio_msr);
        return;
    }
    bus = read_bus(platform, claim, source, CLAIM_TSC, clocks);
    if (bus)
        claim_stated(claim, source, CLAIM_TSC, true, ratio * bus, bus, "%u * %s MHz", ratio,
                     text_decimal(megahertz, bus, 9, 3));
}

// Which registers an Intel CPU has, or NULL on others, or where none is known.
static bool find_clocks(const struct platform *platform, struct intel_clocks *clocks)
{
    *clocks = intel_clocks_of(model_of(platform));
    return text_equal(platform->scan.cpu_vendor, "GenuineIntel") && clocks->ratio != RATIO_NONE;
}

static size_t collect_ratio(const struct platform *platform, struct claim *out, size_t max)
{
    struct intel_clocks clocks;

    if (!find_clocks(platform, &clocks) || clocks.ratio_msr != INTEL_MSR_PLATFORM_INFO)
        return claim_foreign(out, max, RATIO_SOURCE, true, "not such an Intel CPU");
    if (max < 1)
        return 0;
    state_ratio(platform, out, RATIO_SOURCE, &clocks);
    return 1;
}

static size_t collect_fsb(const struct platform *platform, struct claim *out, size_t max)
{
    struct intel_clocks clocks;
    uint64_t bus;

    if (!find_clocks(platform, &clocks) || !clocks.bus_msr)
        return claim_foreign(out, max, FSB_SOURCE, true, "not such an Intel CPU");
    if (max < 2)
        return 0;
    bus = read_bus(platform, &out[0], FSB_SOURCE, CLAIM_BUS, &clocks);
    // Tables to two digits and more of a MHz.
    if (bus)
        claim_stated(&out[0], FSB_SOURCE, CLAIM_BUS, true, bus, 10000000, "MSR 0x%x",
                     clocks.bus_msr);
    if (clocks.ratio_msr == INTEL_MSR_PLATFORM_INFO)
        return 1;
    state_ratio(platform, &out[1], FSB_SOURCE, &clocks);
    return 2;
}

static void state_pstate(const struct platform *platform, struct claim *out, unsigned family)
{
    uint64_t configuration, definition, rate, granularity;
    bool boosts = cpuid_read(&platform->cpuid, CPUID_EXTENDED_POWER, 0).edx & POWER_BOOST;

    if (!read_msr(out, PSTATE_SOURCE, CLAIM_TSC, MSR_HWCR, &configuration))
        return;
    if (!(configuration & HWCR_TSC_AT_P0)) {
        claim_absent(out, PSTATE_SOURCE, CLAIM_TSC, true,
                     "MSR 0x%x bit 24 is clear: the TSC does not count at P0", MSR_HWCR);
        return;
    }
    // How many there are, only PCI configuration space tells.
    if (family < 0x17 && boosts) {
        claim_absent(out, PSTATE_SOURCE, CLAIM_TSC, true,
                     "boost states come first, so MSR 0x%x may not be P0", AMD_MSR_PSTATE_0);
        return;
    }
    if (!read_msr(out, PSTATE_SOURCE, CLAIM_TSC, AMD_MSR_PSTATE_0, &definition))
        return;
    rate = amd_pstate_millihertz(family, definition, &granularity);
    if (!rate)
        claim_absent(out, PSTATE_SOURCE, CLAIM_TSC, true,
                     "MSR 0x%x holds 0x%llx: no P-state of family 0x%x", AMD_MSR_PSTATE_0,
                     (unsigned long long)definition, family);
    else
        claim_stated(out, PSTATE_SOURCE, CLAIM_TSC, true, rate, granularity, "P0, MSR 0x%x: 0x%llx",
                     AMD_MSR_PSTATE_0, (unsigned long long)definition);
}

static size_t collect_pstate(const struct platform *platform, struct claim *out, size_t max)
{
    unsigned family = model_of(platform).family;
    const char *vendor = platform->scan.cpu_vendor;

    if ((!text_equal(vendor, "AuthenticAMD") && !text_equal(vendor, "HygonGenuine")) ||
        family < 0x10)
        return claim_foreign(out, max, PSTATE_SOURCE, true, "not such an AMD CPU");
    if (max < 1)
        return 0;
    state_pstate(platform, out, family);
    return 1;
}

const struct claim_source claim_msr_0xce = {.name = RATIO_SOURCE, .collect = collect_ratio};
const struct claim_source claim_msr_fsb = {.name = FSB_SOURCE, .collect = collect_fsb};
const struct claim_source claim_amd_pstate = {.name = PSTATE_SOURCE, .collect = collect_pstate};
