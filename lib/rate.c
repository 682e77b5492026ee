#include "lib/rate.h"

#include "lib/wide.h"

#define BILLION 1000000000u

static uint64_t middle(uint64_t low, uint64_t high)
{
    return low + (high - low) / 2;
}

struct rate_interval rate_from_slopes(struct hertz clock, struct slope low, struct slope high)
{
    struct rate_interval rate;
    // At most 10^18 (a clock of 10^15 Hz in thousandths) times 2^62 cycles: 122 bits.
    uint128 scaled = (uint128)clock.numerator * 1000;

    rate.low = wide_quotient(scaled * high.cycles, (uint128)clock.denominator * high.ticks);
    rate.high = wide_quotient_up(scaled * low.cycles, (uint128)clock.denominator * low.ticks);
    if (rate.high < rate.low)
        rate.high = rate.low;
    rate.estimate = middle(rate.low, rate.high);
    return rate;
}

struct rate_interval rate_of_clock(struct slope low, struct slope high, struct rate_interval tsc)
{
    struct rate_interval rate;

    rate.low = wide_mul_div(tsc.low, low.ticks, low.cycles);
    rate.high = wide_mul_div_up(tsc.high, high.ticks, high.cycles);
    if (rate.high < rate.low)
        rate.high = rate.low;
    rate.estimate = middle(rate.low, rate.high);
    return rate;
}

struct rate_interval rate_widen(struct rate_interval rate, uint32_t below_ppb, uint32_t above_ppb)
{
    uint64_t wider = wide_mul_div_up(rate.high, BILLION + (uint64_t)above_ppb, BILLION);

    rate.low = below_ppb >= BILLION ? 0 : wide_mul_div(rate.low, BILLION - below_ppb, BILLION);
    rate.high = wider;
    return rate;
}

uint64_t rate_half_width_ppb(struct rate_interval rate)
{
    uint128 sum = (uint128)rate.low + rate.high;

    if (!sum)
        return 0;
    return wide_quotient_up((uint128)(rate.high - rate.low) * BILLION, sum);
}

uint64_t slope_half_width_ppb(struct slope low, struct slope high)
{
    uint128 upper = (uint128)high.ticks * low.cycles;
    uint128 lower = (uint128)low.ticks * high.cycles;
    uint128 sum = upper + lower;
    uint128 difference = upper > lower ? upper - lower : 0;

    // Brought to 63 bits together, down or up: the quotient keeps 30 bits and more.
    while (sum >> 95) {
        sum >>= 32;
        difference >>= 32;
    }
    while (sum >> 63) {
        sum >>= 1;
        difference >>= 1;
    }
    while (sum && !(sum >> 62)) {
        sum <<= 1;
        difference <<= 1;
    }
    uint64_t denominator = (uint64_t)sum / BILLION;
    if (!denominator) // the sum was 0
        return UINT64_MAX;
    if ((uint64_t)difference < UINT64_MAX / BILLION)
        return (uint64_t)difference * BILLION / (uint64_t)sum + 1;
    return (uint64_t)difference / denominator + 1;
}

uint64_t rate_millihertz(struct hertz clock)
{
    if (!clock.denominator)
        return 0;
    return wide_quotient((uint128)clock.numerator * 1000 + clock.denominator / 2,
                         clock.denominator);
}

uint64_t rate_cycles_to_ns(uint64_t cycles, uint64_t millihertz)
{
    return millihertz ? wide_mul_div(cycles, 1000ull * BILLION, millihertz) : 0;
}

uint64_t rate_ns_to_cycles(uint64_t ns, uint64_t millihertz)
{
    return wide_mul_div(ns, millihertz, 1000ull * BILLION);
}

uint64_t rate_cycles_of_ticks(uint64_t ticks, struct slope p)
{
    return wide_mul_div(ticks, p.cycles, p.ticks);
}

// How many intervals contain `point`, and which.
static unsigned containing(const struct rate_interval *intervals, size_t count, uint64_t point,
                           uint32_t *members)
{
    unsigned number = 0;

    *members = 0;
    for (size_t i = 0; i < count; i++) {
        if (intervals[i].low <= point && point <= intervals[i].high) {
            *members |= 1u << i;
            number++;
        }
    }
    return number;
}

struct vote rate_vote(const struct rate_interval *intervals, size_t count)
{
    struct vote vote = {0};
    uint32_t best = 0;
    bool unique = true;

    // A largest set of intervals with a common point has one at the low end of a member.
    for (size_t i = 0; i < count && i < VOTE_MAX; i++) {
        uint32_t members;
        unsigned number = containing(intervals, count, intervals[i].low, &members);
        if (number > vote.agreeing) {
            vote.agreeing = number;
            best = members;
            unique = true;
        } else if (number == vote.agreeing && members != best) {
            unique = false;
        }
    }
    vote.decided = unique && 2 * (size_t)vote.agreeing > count;
    if (!vote.decided)
        return vote;
    vote.together = (struct rate_interval){0, UINT64_MAX, 0};
    for (size_t i = 0; i < count; i++) {
        if (!(best >> i & 1)) {
            vote.odd |= 1u << i;
            continue;
        }
        if (intervals[i].low > vote.together.low)
            vote.together.low = intervals[i].low;
        if (intervals[i].high < vote.together.high)
            vote.together.high = intervals[i].high;
    }
    vote.together.estimate = middle(vote.together.low, vote.together.high);
    return vote;
}
