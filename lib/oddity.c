#include "lib/oddity.h"

#include "lib/text.h"

enum deviation deviation_of(const struct claim *claim, const struct judgement *judgement,
                            uint64_t tolerance_ppb)
{
    int64_t step_ppb = (int64_t)(judgement->allowed_ppb - tolerance_ppb);
    int64_t low = judgement->low_ppb - step_ppb, high = judgement->high_ppb + step_ppb;
    // Proven to be off by so much at least, and at most.
    int64_t least = low > 0 ? low : high < 0 ? -high : 0;
    int64_t most = high > -low ? high : -low;

    if (!judgement->allowed_ppb) // not measured
        return DEVIATION_PLAIN;
    if (least > ODDITY_FOREIGN_PPB)
        return DEVIATION_FOREIGN;
    if (least >= ODDITY_HOST_MIN_PPB && most <= ODDITY_HOST_MAX_PPB)
        return DEVIATION_HOST;
    if (low > ODDITY_HOST_MAX_PPB && high <= ODDITY_SPREAD_MAX_PPB && claim->clock == CLAIM_TSC &&
        text_equal(claim->source, "leaf-0x15"))
        return DEVIATION_SPREAD;
    return DEVIATION_PLAIN;
}

bool simple_quotient(uint64_t stated, uint64_t measured, unsigned *over, unsigned *under)
{
    if (!stated || stated > CLAIM_MILLIHERTZ_MAX || measured > CLAIM_MILLIHERTZ_MAX)
        return false;
    for (unsigned n = 1; n <= QUOTIENT_MAX && measured; n++) {
        uint64_t scaled = stated * n;
        uint64_t times = (scaled + measured / 2) / measured;
        uint64_t exact = times * measured;
        if (!times || times > QUOTIENT_MAX ||
            (scaled > exact ? scaled - exact : exact - scaled) > exact / QUOTIENT_PARTS)
            continue;
        *over = (unsigned)times;
        *under = n;
        return true;
    }
    return false;
}
