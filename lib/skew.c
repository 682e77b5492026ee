#include "lib/skew.h"

#include "lib/text.h"
#include "lib/wide.h"

#define LARGEST     1000000000000000000ll
#define PPB         1000000000u
#define NS_PER_GIGA 1000000000000ull // cycles * this / millihertz are nanoseconds

void skew_start(struct skew *skew)
{
    memset(skew, 0, sizeof(*skew));
    skew->narrowest = UINT64_MAX;
    skew->low.cycles = INT64_MIN;
    skew->high.cycles = INT64_MAX;
}

void skew_add(struct skew *skew, uint64_t before, uint64_t remote, uint64_t after)
{
    int64_t low = (int64_t)(remote - after), high = (int64_t)(remote - before);

    if (after < before)
        return;
    skew->exchanges++;
    if (after - before < skew->narrowest)
        skew->narrowest = after - before;
    if (low > skew->low.cycles)
        skew->low = (struct skew_bound){low, before, after};
    if (high < skew->high.cycles)
        skew->high = (struct skew_bound){high, before, after};
}

struct skew_offset skew_join(const struct skew *first, const struct skew *second)
{
    int64_t low = second->low.cycles, high = second->high.cycles;

    if (first->low.cycles > low)
        low = first->low.cycles;
    if (first->high.cycles < high)
        high = first->high.cycles;
    if (low <= high)
        return (struct skew_offset){low, high, true};
    low = second->low.cycles;
    high = second->high.cycles;
    return (struct skew_offset){low < high ? low : high, low < high ? high : low, false};
}

// value * multiplier / divisor, rounded down or up.
static int64_t scaled(int64_t value, uint64_t multiplier, uint64_t divisor, bool up)
{
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    uint64_t quotient = (value < 0) == up ? wide_mul_div(size, multiplier, divisor)
                                          : wide_mul_div_up(size, multiplier, divisor);

    if (quotient > LARGEST)
        quotient = LARGEST;
    return value < 0 ? -(int64_t)quotient : (int64_t)quotient;
}

// A bound of the change from `from` to `to`, per cycle. Which time between the two makes it the
// weaker statement depends on its sign.
static bool slope(struct skew_bound from, struct skew_bound to, bool up, int64_t *ppb)
{
    int64_t change = (int64_t)((uint64_t)to.cycles - (uint64_t)from.cycles);
    bool shortest = (change >= 0) == up;

    if (to.before <= from.after)
        return false;
    *ppb = scaled(change, PPB, shortest ? to.before - from.after : to.after - from.before, up);
    return true;
}

bool skew_rate(const struct skew *first, const struct skew *second, int64_t *low_ppb,
               int64_t *high_ppb)
{
    return first->exchanges && second->exchanges &&
           slope(first->high, second->low, false, low_ppb) &&
           slope(first->low, second->high, true, high_ppb) && *low_ppb <= *high_ppb;
}

enum verdict skew_judge(int64_t low, int64_t high, uint64_t limit)
{
    uint64_t below = low < 0 ? 0 - (uint64_t)low : 0;
    uint64_t above = high > 0 ? (uint64_t)high : 0;

    if (below <= limit && above <= limit)
        return VERDICT_OK;
    if ((low > 0 && (uint64_t)low > limit) || (high < 0 && 0 - (uint64_t)high > limit))
        return VERDICT_OFF;
    return VERDICT_INCONCLUSIVE;
}

int64_t skew_ns(int64_t cycles, uint64_t millihertz)
{
    return scaled(cycles, NS_PER_GIGA, millihertz, false);
}

int64_t skew_ns_up(int64_t cycles, uint64_t millihertz)
{
    return scaled(cycles, NS_PER_GIGA, millihertz, true);
}
