#include "lib/cpu_rate.h"

#include "lib/text.h"

struct cpu_model cpu_model_of(uint32_t eax)
{
    struct cpu_model model = {.family = eax >> 8 & 0xf, .model = eax >> 4 & 0xf};

    if (model.family == 6 || model.family == 15)
        model.model |= eax >> 12 & 0xf0;
    if (model.family == 15)
        model.family += eax >> 20 & 0xff;
    return model;
}

// --- Intel

// Bus clocks in 1/9000 MHz, in which all of them are whole.
#define MHZ(numerator, denominator) ((numerator)*9000u / (denominator))

// Xen xen/arch/x86/cpu/intel.c, intel_log_freq
static const uint32_t core_bus[] = {MHZ(800, 3),  MHZ(400, 3), MHZ(200, 1), MHZ(500, 3),
                                    MHZ(1000, 3), MHZ(100, 1), MHZ(400, 1)};
static const uint32_t nehalem_bus[] = {MHZ(400, 3)};
static const uint32_t later_bus[] = {MHZ(100, 1)};
// Linux arch/x86/kernel/tsc_msr.c
static const uint32_t penwell_bus[] = {0, 0, 0, 0, 0, MHZ(9984, 100), 0, MHZ(832, 10)};
static const uint32_t cloverview_bus[] = {0, MHZ(1332, 10),  0, 0,
                                          0, MHZ(9984, 100), 0, MHZ(832, 10)};
static const uint32_t bay_trail_bus[] = {MHZ(500, 6), MHZ(100, 1), MHZ(400, 3), MHZ(700, 6),
                                         MHZ(400, 5)};
static const uint32_t tangier_bus[] = {0, MHZ(100, 1), MHZ(400, 3)};
static const uint32_t cherry_trail_bus[] = {MHZ(500, 6),  MHZ(100, 1), MHZ(400, 3),
                                            MHZ(700, 6),  MHZ(400, 5), MHZ(1400, 15),
                                            MHZ(900, 10), MHZ(800, 9), MHZ(700, 8)};
static const uint32_t annidale_bus[] = {MHZ(500, 6), MHZ(100, 1), MHZ(400, 3), MHZ(100, 1)};
static const uint32_t lightning_bus[] = {MHZ(78, 1)};

#define MSR_PERF_STATUS 0x198u
#define MSR_EBC         0x2cu // MSR_EBC_FREQUENCY_ID

#define FIXED(which, table)                                                                        \
    {                                                                                              \
        which, INTEL_MSR_PLATFORM_INFO, 0, table, 1, 0, 0                                          \
    }
#define FSB(which, msr, table, mask)                                                               \
    {                                                                                              \
        which, msr, INTEL_MSR_FSB_FREQ, table, ARRAY_SIZE(table), 0, mask                          \
    }
#define CORE              FSB(RATIO_EITHER_END, INTEL_MSR_PLATFORM_INFO, core_bus, 7)
#define ATOM(table, mask) FSB(RATIO_PLATFORM_INFO, INTEL_MSR_PLATFORM_INFO, table, mask)

static const struct {
    uint8_t model;
    struct intel_clocks clocks;
} family_6[] = {
    {0x0e, CORE}, // Core
    {0x0f, CORE}, // Core 2
    {0x16, CORE},
    {0x17, CORE},
    {0x1d, CORE},
    {0x1a, FIXED(RATIO_PLATFORM_INFO, nehalem_bus)}, // Nehalem
    {0x1e, FIXED(RATIO_PLATFORM_INFO, nehalem_bus)},
    {0x1f, FIXED(RATIO_PLATFORM_INFO, nehalem_bus)},
    {0x2e, FIXED(RATIO_PLATFORM_INFO, nehalem_bus)},
    {0x25, FIXED(RATIO_PLATFORM_INFO, nehalem_bus)}, // Westmere
    {0x2c, FIXED(RATIO_PLATFORM_INFO, nehalem_bus)},
    {0x2f, FIXED(RATIO_PLATFORM_INFO, nehalem_bus)},
    {0x27, FSB(RATIO_PERF_STATUS, MSR_PERF_STATUS, penwell_bus, 7)},
    {0x35, FSB(RATIO_PERF_STATUS, MSR_PERF_STATUS, cloverview_bus, 7)},
    {0x37, ATOM(bay_trail_bus, 7)},
    {0x4a, ATOM(tangier_bus, 7)},
    {0x4c, ATOM(cherry_trail_bus, 15)},
    {0x5a, ATOM(annidale_bus, 15)},
    {0x75, FIXED(RATIO_PLATFORM_INFO, lightning_bus)},
    // The first Atoms: which register states the ratio is not documented.
    {0x1c, {.ratio = RATIO_NONE}},
    {0x26, {.ratio = RATIO_NONE}},
    {0x36, {.ratio = RATIO_NONE}},
};

// Nehalem, the first with MSR 0xCE as it is today.
#define PLATFORM_INFO_SINCE 0x1a

struct intel_clocks intel_clocks_of(struct cpu_model model)
{
    static const struct intel_clocks none = {.ratio = RATIO_NONE},
                                     later = FIXED(RATIO_PLATFORM_INFO, later_bus),
                                     // The first five bus clocks of Core's table, in bits 18:16.
        pentium_4 = {RATIO_EBC, MSR_EBC, MSR_EBC, core_bus, 5, 16, 7};

    if (model.family == 15)
        return pentium_4;
    if (model.family != 6)
        return none;
    for (size_t i = 0; i < ARRAY_SIZE(family_6); i++)
        if (family_6[i].model == model.model)
            return family_6[i].clocks;
    return model.model >= PLATFORM_INFO_SINCE ? later : none;
}

uint64_t intel_bus_millihertz(const struct intel_clocks *clocks, uint64_t value)
{
    uint64_t index = value >> clocks->bus_shift & clocks->bus_mask;

    if (index >= clocks->bus_count)
        return 0;
    return ((uint64_t)clocks->bus[index] * MILLIHERTZ_PER_MHZ + 4500) / 9000;
}

uint32_t intel_ratio(const struct intel_clocks *clocks, uint64_t value)
{
    uint32_t low = value >> 8 & 0xff, high = value >> 40 & 0xff;

    switch (clocks->ratio) {
    case RATIO_PLATFORM_INFO:
        return low;
    case RATIO_EITHER_END:
        return low > high ? low : high;
    case RATIO_PERF_STATUS:
        return high & 0x1f;
    case RATIO_EBC:
        return value >> 24 & 0xff;
    case RATIO_NONE:
        break;
    }
    return 0;
}

// --- AMD

#define PSTATE_ENABLED (1ull << 63)

uint64_t amd_pstate_millihertz(unsigned family, uint64_t definition, uint64_t *granularity)
{
    uint64_t multiplier, step;

    *granularity = 0;
    if (!(definition & PSTATE_ENABLED))
        return 0;
    switch (family) {
    case 0x10: // BKDG of the family, "Core P-States": 100 MHz * (CpuFid + 0x10) / 2^CpuDid
    case 0x15:
    case 0x16: {
        unsigned divisor = definition >> 6 & 7;
        if (divisor > 4)
            return 0;
        multiplier = (definition & 0x3f) + 0x10;
        step = 100ull * MILLIHERTZ_PER_MHZ >> divisor;
        break;
    }
    case 0x17: // PPR of the family, MSRC001_0064: 200 MHz * CpuFid / CpuDfsId
    case 0x18: // Hygon
    case 0x19: {
        // PPR: 8 to 0x1a each, from there to 0x2c even ones; 0x10 and more.
        unsigned divisor = definition >> 8 & 0x3f;
        multiplier = definition & 0xff;
        if (divisor < 8 || divisor > 0x2c || (divisor > 0x1a && divisor % 2) || multiplier < 0x10)
            return 0;
        *granularity = 200ull * MILLIHERTZ_PER_MHZ / divisor;
        return (multiplier * 200 * MILLIHERTZ_PER_MHZ + divisor / 2) / divisor;
    }
    case 0x1a: // PPR of the family: 5 MHz * CpuFid
        multiplier = definition & 0xfff;
        step = 5ull * MILLIHERTZ_PER_MHZ;
        break;
    default:
        return 0;
    }
    *granularity = step;
    return multiplier * step;
}

// --- Brand strings

#define BRAND_DIGITS_MAX 9

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

// The number that ends before `end`.
static uint64_t number_before(const char *brand, size_t end, uint64_t unit, uint64_t *granularity)
{
    uint64_t value = 0, step = unit;
    size_t start = end;
    unsigned digits = 0;
    bool fraction = false;

    while (start > 0 && (is_digit(brand[start - 1]) || brand[start - 1] == '.'))
        start--;
    for (size_t i = start; i < end; i++) {
        if (brand[i] == '.') {
            if (fraction)
                return 0;
            fraction = true;
            continue;
        }
        if (++digits > BRAND_DIGITS_MAX)
            return 0;
        value = value * 10 + (uint64_t)(brand[i] - '0');
        if (fraction)
            step /= 10;
    }
    // Nine digits at most, so the step, a ninth power of ten or more at first, is never divided to
    // 0.
    if (__builtin_mul_overflow(value, step, &value))
        return 0;
    *granularity = value ? step : 0;
    return value;
}

uint64_t brand_millihertz(const char brand[BRAND_SIZE], uint64_t *granularity)
{
    static const struct {
        char prefix;
        uint64_t millihertz;
    } units[] = {{'M', MILLIHERTZ_PER_MHZ}, {'G', MILLIHERTZ_PER_GHZ}};

    *granularity = 0;
    for (size_t end = BRAND_SIZE - 3; end > 0; end--) {
        if (brand[end + 1] != 'H' || brand[end + 2] != 'z')
            continue;
        for (size_t i = 0; i < ARRAY_SIZE(units); i++)
            if (brand[end] == units[i].prefix)
                return number_before(brand, end, units[i].millihertz, granularity);
    }
    return 0;
}
