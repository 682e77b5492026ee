#include "lib/compare.h"

#include "lib/wide.h"

#define PPB 1000000000u

struct comparison claim_compare(const struct claim *a, const struct claim *b)
{
    bool less = a->millihertz < b->millihertz;
    uint64_t distance = less ? b->millihertz - a->millihertz : a->millihertz - b->millihertz;
    uint64_t granularity = a->granularity_millihertz + b->granularity_millihertz;
    uint64_t ppb = wide_quotient((uint128)distance * PPB + b->millihertz / 2, b->millihertz);
    struct comparison comparison = {
        .granularity_ppb = wide_mul_div_up(granularity, PPB, b->millihertz),
        .agree = distance <= granularity,
    };

    if (ppb > ERROR_PPB_MAX)
        ppb = ERROR_PPB_MAX;
    if (comparison.granularity_ppb > ERROR_PPB_MAX)
        comparison.granularity_ppb = ERROR_PPB_MAX;
    comparison.difference_ppb = less ? -(int64_t)ppb : (int64_t)ppb;
    return comparison;
}
