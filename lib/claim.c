#include "lib/claim.h"

#include "lib/wide.h"

#define PPB 1000000000u

const char *claim_clock_word(enum claim_clock clock)
{
    static const char *const words[] = {
        [CLAIM_TSC] = "tsc",
        [CLAIM_BUS] = "bus",
        [CLAIM_BCLK] = "bclk",
    };

    return words[clock];
}

const char *verdict_word(enum verdict verdict)
{
    static const char *const words[] = {
        [VERDICT_OK] = "ok",
        [VERDICT_OFF] = "off",
        [VERDICT_INCONCLUSIVE] = "inconclusive",
    };

    return words[verdict];
}

enum rounding { DOWN, NEAREST, UP };

// (stated - real) / real in ppb. `real` is not 0.
static int64_t error_ppb(uint64_t stated, uint64_t real, enum rounding rounding)
{
    bool negative = stated < real;
    // At most 2^94: no overflow.
    uint128 product = (uint128)(negative ? real - stated : stated - real) * PPB;
    uint64_t magnitude;

    if (rounding == NEAREST)
        magnitude = wide_quotient(product + real / 2, real);
    else if ((rounding == UP) != negative)
        magnitude = wide_quotient_up(product, real);
    else
        magnitude = wide_quotient(product, real);
    if (magnitude > ERROR_PPB_MAX)
        magnitude = ERROR_PPB_MAX;
    return negative ? -(int64_t)magnitude : (int64_t)magnitude;
}

struct judgement claim_judge(uint64_t stated_millihertz, uint64_t granularity_millihertz,
                             uint64_t tolerance_ppb, struct rate_interval measured)
{
    struct judgement judgement = {
        .verdict = VERDICT_INCONCLUSIVE,
        .low_ppb = -ERROR_PPB_MAX,
        .high_ppb = ERROR_PPB_MAX,
        .allowed_ppb = tolerance_ppb,
    };
    uint64_t granularity_ppb;
    int64_t allowed;
    bool within, without;

    if (measured.low == 0 || measured.low > measured.high || measured.estimate == 0)
        return judgement;
    granularity_ppb = wide_mul_div_up(granularity_millihertz, PPB, measured.estimate);
    if (__builtin_add_overflow(tolerance_ppb, granularity_ppb, &judgement.allowed_ppb) ||
        judgement.allowed_ppb > ERROR_PPB_MAX)
        judgement.allowed_ppb = ERROR_PPB_MAX;

    judgement.error_ppb = error_ppb(stated_millihertz, measured.estimate, NEAREST);
    // The error falls as the true rate rises.
    judgement.low_ppb = error_ppb(stated_millihertz, measured.high, DOWN);
    judgement.high_ppb = error_ppb(stated_millihertz, measured.low, UP);

    allowed = (int64_t)judgement.allowed_ppb;
    within = judgement.low_ppb >= -allowed && judgement.high_ppb <= allowed;
    without = judgement.low_ppb > allowed || judgement.high_ppb < -allowed;
    if (within || without)
        judgement.verdict = within ? VERDICT_OK : VERDICT_OFF;
    return judgement;
}
