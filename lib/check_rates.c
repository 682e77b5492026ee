// Rules about rates: what is stated, against what else is stated and what was measured.
#include "lib/check_rules.h"

#define TIMING_SOURCE "leaf-0x40000010"

// Leaf 0x16 is a product's name in MHz, not a rate to the ppm: a real CPU's TSC is some tenths of a
// percent off it.
#define BASE_TOLERANCE_PPB 10000000u

// The host's crystal is some 100 ppm off its nominal rate at most, and NTP slews the clocks by
// which the TSC was measured by up to 500 ppm: what is further off is another machine's.
#define CRYSTAL_TOLERANCE_PPB 1000000u

static const struct claim *find(const struct check_input *input, const char *source,
                                enum claim_clock clock)
{
    for (size_t i = 0; i < input->claim_count; i++)
        if (input->claims[i].present && input->claims[i].clock == clock &&
            text_equal(input->claims[i].source, source))
            return &input->claims[i];
    return NULL;
}

// The rates that a claim does not exclude.
static struct rate_interval interval_of(const struct claim *claim)
{
    uint64_t rate = claim->millihertz, step = claim->granularity_millihertz;

    return (struct rate_interval){rate > step ? rate - step : 1, rate + step, rate};
}

// Says "tsc: SOURCE 2596.130000 MHz, OTHER 2596.130001 MHz".
static void put_rates(struct text *detail, const struct claim *claim, const char *other,
                      uint64_t millihertz)
{
    char stated[DECIMAL_SIZE], found[DECIMAL_SIZE];

    text_format(detail, "%s: %s %s MHz, %s %s MHz", claim_clock_word(claim->clock), claim->source,
                text_decimal(stated, claim->millihertz, 9, 6), other,
                text_decimal(found, millihertz, 9, 6));
}

// Does the timing leaf agree with every other claim about this clock? Counts them.
static bool agrees(const struct check_input *input, enum claim_clock clock, unsigned *others,
                   struct text *detail)
{
    const struct claim *timing = find(input, TIMING_SOURCE, clock);

    for (size_t i = 0; i < input->claim_count && timing; i++) {
        const struct claim *other = &input->claims[i];
        if (!other->present || other->nominal || other->clock != clock ||
            text_equal(other->source, TIMING_SOURCE))
            continue;
        ++*others;
        if (claim_judge(timing->millihertz, timing->granularity_millihertz, 0, interval_of(other))
                .verdict == VERDICT_OFF) {
            put_rates(detail, timing, other->source, other->millihertz);
            return false;
        }
    }
    return true;
}

enum check_result check_claims_agree(const struct check_input *input, struct text *detail)
{
    unsigned others = 0;

    if (!agrees(input, CLAIM_TSC, &others, detail) || !agrees(input, CLAIM_BUS, &others, detail))
        return CHECK_FAIL;
    if (!others)
        return check_say(detail, CHECK_SKIP, "no two claims to compare");
    return check_say(detail, CHECK_PASS, "it agrees with %u other claim%s", others,
                     others == 1 ? "" : "s");
}

// A claim against an interval, in words.
static enum check_result compare(const struct claim *claim, const char *with,
                                 struct rate_interval interval, uint64_t tolerance_ppb,
                                 struct text *detail)
{
    static const enum check_result results[] = {
        [VERDICT_OK] = CHECK_PASS,
        [VERDICT_OFF] = CHECK_FAIL,
        [VERDICT_INCONCLUSIVE] = CHECK_SKIP,
    };
    struct judgement judgement =
        claim_judge(claim->millihertz, claim->granularity_millihertz, tolerance_ppb, interval);

    put_rates(detail, claim, with, interval.estimate);
    if (judgement.verdict == VERDICT_INCONCLUSIVE)
        text_string(detail, ": too wide to tell");
    return results[judgement.verdict];
}

enum check_result check_bus_claim(const struct check_input *input, struct text *detail)
{
    const struct claim *claim = find(input, TIMING_SOURCE, CLAIM_BUS);

    if (!claim)
        return check_say(detail, CHECK_SKIP, "no bus rate is claimed");
    if (!input->bus)
        return check_say(detail, CHECK_SKIP, "the LAPIC timer was not measured");
    return compare(claim, "measured", *input->bus, input->tolerance_ppb, detail);
}

enum check_result check_invariant_tsc(const struct check_input *input, struct text *detail)
{
    const struct cpuid_words *words = check_leaf(input, CPUID_EXTENDED_POWER);
    bool set = words && words->edx & CPUID_INVARIANT_TSC;

    if (!words)
        return check_say(detail, CHECK_SKIP, "leaf 0x80000007 is not there");
    if (!set)
        return check_say(detail, CHECK_SKIP, "the bit is clear: nothing is promised");
    if (input->tsc_broken)
        return check_say(detail, CHECK_FAIL, "the bit is set, but %s", input->tsc_broken);
    if (!input->tsc)
        return check_say(detail, CHECK_SKIP, "the bit is set; the TSC was not measured");
    return check_say(detail, CHECK_PASS, "the bit is set, and the rate was constant");
}

// A leaf of the CPU's against what this machine does: as measured, else as the timing leaf says.
static enum check_result check_leak(const struct check_input *input, const char *source,
                                    enum claim_clock clock, uint64_t tolerance_ppb,
                                    struct text *detail)
{
    const struct claim *claim = find(input, source, clock);
    const struct claim *timing = find(input, TIMING_SOURCE, clock);
    const struct rate_interval *measured = clock == CLAIM_TSC ? input->tsc : input->bus;

    if (!check_is_guest(input->scan))
        return check_say(detail, CHECK_SKIP, "no hypervisor");
    if (!claim)
        return check_say(detail, CHECK_SKIP, "it states no rate");
    if (!measured && !timing)
        return check_say(detail, CHECK_SKIP, "nothing to compare it with");
    return compare(claim, measured ? "measured" : TIMING_SOURCE,
                   measured ? *measured : interval_of(timing), tolerance_ppb, detail);
}

enum check_result check_leaf_15(const struct check_input *input, struct text *detail)
{
    uint64_t tolerance_ppb =
        input->tolerance_ppb > CRYSTAL_TOLERANCE_PPB ? input->tolerance_ppb : CRYSTAL_TOLERANCE_PPB;
    enum check_result tsc = check_leak(input, "leaf-0x15", CLAIM_TSC, tolerance_ppb, detail);
    struct text bus_detail;
    char buffer[sizeof(((struct check *)0)->detail)];

    if (tsc == CHECK_FAIL)
        return tsc;
    // The crystal is what the LAPIC timer counts: Linux takes it for that timer's rate.
    text_init(&bus_detail, buffer, sizeof(buffer));
    enum check_result bus = check_leak(input, "leaf-0x15", CLAIM_BUS, tolerance_ppb, &bus_detail);
    if (bus == CHECK_FAIL || (bus == CHECK_PASS && tsc == CHECK_SKIP)) {
        text_init(detail, detail->data, detail->size);
        text_string(detail, buffer);
        return bus;
    }
    return tsc;
}

enum check_result check_leaf_16(const struct check_input *input, struct text *detail)
{
    return check_leak(input, "leaf-0x16", CLAIM_TSC, BASE_TOLERANCE_PPB, detail);
}
