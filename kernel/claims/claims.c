#include "kernel/claims/claims.h"

#include "lib/pvclock.h"
#include "lib/text.h"

size_t claims_collect(const struct platform *platform, struct claim *out, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; claim_table[i]; i++)
        count += claim_table[i]->collect(platform, out + count, max - count);
    return count;
}

__attribute__((format(printf, 2, 0))) static void
claim_reason(struct claim *claim, const char *format, __builtin_va_list arguments)
{
    struct text text;

    text_init(&text, claim->reason, sizeof(claim->reason));
    text_vformat(&text, format, arguments);
}

void claim_absent(struct claim *claim, const char *source, enum claim_clock clock, bool nominal,
                  const char *format, ...)
{
    __builtin_va_list arguments;

    *claim = (struct claim){.source = source, .clock = clock, .nominal = nominal};
    __builtin_va_start(arguments, format);
    claim_reason(claim, format, arguments);
    __builtin_va_end(arguments);
}

size_t claim_foreign(struct claim *claim, size_t max, const char *source, bool nominal,
                     const char *why)
{
    if (max < 1)
        return 0;
    claim_absent(claim, source, CLAIM_TSC, nominal, "%s", why);
    claim->foreign = true;
    return 1;
}

static struct claim claim_of(const char *source, enum claim_clock clock, bool nominal,
                             uint64_t millihertz, uint64_t granularity_millihertz)
{
    return (struct claim){
        .source = source,
        .clock = clock,
        .present = true,
        .nominal = nominal,
        .millihertz = millihertz,
        .granularity_millihertz = granularity_millihertz,
    };
}

void claim_stated(struct claim *claim, const char *source, enum claim_clock clock, bool nominal,
                  uint64_t millihertz, uint64_t granularity_millihertz, const char *format, ...)
{
    uint32_t least_khz = clock == CLAIM_TSC ? TIMING_TSC_KHZ_MIN : TIMING_BUS_KHZ_MIN;
    char megahertz[DECIMAL_SIZE];
    __builtin_va_list arguments;

    if (millihertz == 0) {
        claim_absent(claim, source, clock, nominal, "it states 0");
    } else if (millihertz < (uint64_t)least_khz * MILLIHERTZ_PER_KHZ ||
               millihertz > (uint64_t)TIMING_KHZ_MAX * MILLIHERTZ_PER_KHZ) {
        claim_absent(claim, source, clock, nominal, "%s MHz is outside %u to %u MHz",
                     text_decimal(megahertz, millihertz, 9, 6), least_khz / 1000,
                     TIMING_KHZ_MAX / 1000);
    } else {
        *claim = claim_of(source, clock, nominal, millihertz, granularity_millihertz);
        __builtin_va_start(arguments, format);
        claim_reason(claim, format, arguments);
        __builtin_va_end(arguments);
    }
}

void claim_scaled(struct claim *claim, const char *source, uint32_t mul, int8_t shift)
{
    uint64_t granularity, rate = pvclock_millihertz(mul, shift, &granularity);

    claim_stated(claim, source, CLAIM_TSC, false, rate, granularity, "0x%x, shift %d", mul, shift);
}

bool claim_leaf_in_range(const struct scan *scan, uint32_t leaf, char reason[CLAIM_RANGE_SIZE])
{
    bool sane = scan->max_basic < CPUID_HYPERVISOR_BASE;

    if (sane && scan->max_basic >= leaf)
        return true;
    if (sane)
        text_print(reason, CLAIM_RANGE_SIZE, "max basic leaf 0x%x is below 0x%x", scan->max_basic,
                   leaf);
    else
        text_print(reason, CLAIM_RANGE_SIZE, "max basic leaf 0x%x is no basic leaf",
                   scan->max_basic);
    return false;
}

static void claim_khz(struct claim *claim, const char *source, enum claim_clock clock, uint32_t khz,
                      uint32_t khz_min, const char *refused, const char *rests_on)
{
    *claim = claim_of(source, clock, false, (uint64_t)khz * MILLIHERTZ_PER_KHZ, MILLIHERTZ_PER_KHZ);
    if (refused[0])
        claim_absent(claim, source, clock, false, "%s", refused);
    else if (khz == 0)
        claim_absent(claim, source, clock, false, "%s",
                     clock == CLAIM_TSC ? "EAX is zero" : "EBX is zero: it is not stated");
    else if (khz < khz_min || khz > TIMING_KHZ_MAX)
        claim_absent(claim, source, clock, false, "%u kHz is outside %u to %u kHz", khz, khz_min,
                     TIMING_KHZ_MAX);
    else
        text_print(claim->reason, sizeof(claim->reason), "%s", rests_on);
}

void claim_timing(struct claim out[2], const char *source, struct cpuid_words words,
                  const char *refused, const char *rests_on)
{
    claim_khz(&out[0], source, CLAIM_TSC, words.eax, TIMING_TSC_KHZ_MIN, refused, rests_on);
    claim_khz(&out[1], source, CLAIM_BUS, words.ebx, TIMING_BUS_KHZ_MIN, refused, rests_on);
}
