// Rates that CPUs state about themselves: bus clocks, ratios, P-states, brand strings.
#pragma once

#include "lib/types.h"

struct cpu_model {
    unsigned family, model; // display family and model: Intel SDM vol. 2A, CPUID, figure 3-6
};
// Of CPUID leaf 1, EAX.
struct cpu_model cpu_model_of(uint32_t leaf_1_eax);

// Which MSR states the ratio of an Intel CPU's TSC to its bus clock.
enum ratio_register {
    RATIO_NONE,
    RATIO_PLATFORM_INFO, // 0xCE, bits 15:8
    RATIO_EITHER_END,    // 0xCE, the larger of bits 15:8 and 47:40 (Core, Core 2)
    RATIO_PERF_STATUS,   // 0x198, bits 44:40
    RATIO_EBC,           // 0x2C, bits 31:24 (Pentium 4)
};

struct intel_clocks {
    enum ratio_register ratio;
    uint32_t ratio_msr; // 0 for RATIO_NONE
    uint32_t bus_msr;   // which states the bus clock; 0: it is the same on all CPUs of the model
    const uint32_t *bus;
    uint8_t bus_count, bus_shift, bus_mask;
};

#define INTEL_MSR_FSB_FREQ      0xcdu // MSR_FSB_FREQ, SDM vol. 4
#define INTEL_MSR_PLATFORM_INFO 0xceu
#define AMD_MSR_PSTATE_0        0xc0010064u

// How an Intel CPU of this model states its clocks. Models without an entry have ratio RATIO_NONE
// and no bus clock.
struct intel_clocks intel_clocks_of(struct cpu_model model);

// The bus clock in millihertz that `value` of bus_msr (any, where that is 0) stands for; 0 for a
// reserved value.
uint64_t intel_bus_millihertz(const struct intel_clocks *clocks, uint64_t value);

// The ratio in `value` of ratio_msr; 0 where it holds none.
uint32_t intel_ratio(const struct intel_clocks *clocks, uint64_t value);

// The frequency of an AMD P-state definition (MSR 0xC0010064 and up) in millihertz, and what one
// step of its multiplier makes. 0: a reserved encoding, a P-state that is not enabled, or a family
// whose formula is not known.
uint64_t amd_pstate_millihertz(unsigned family, uint64_t definition, uint64_t *granularity);

// The rate at the end of a processor brand string, "... @ 2.60GHz", in millihertz, and what its
// last digit is worth; 0 where there is none. Intel SDM vol. 2A, CPUID, "Extracting the Maximum
// Processor Frequency from Brand Strings".
#define BRAND_SIZE 48
uint64_t brand_millihertz(const char brand[BRAND_SIZE], uint64_t *granularity);
