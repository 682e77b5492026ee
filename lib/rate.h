// From slopes to frequencies, and from several enclosures to one.
#pragma once

#include "lib/claim.h"
#include "lib/envelope.h"
#include "lib/types.h"

// An exact frequency: numerator / denominator hertz. A numerator of 0 means: no nominal rate.
struct hertz {
    uint64_t numerator, denominator;
};

// The TSC rates in millihertz that a reference clock of the given rate allows, if its slope lies in
// [low, high]: rounded outwards, the estimate in the middle. Slopes must not be zero. Saturates.
struct rate_interval rate_from_slopes(struct hertz clock, struct slope low, struct slope high);

// The rates of an unrated clock, measured against the TSC: its slope times the TSC's rate.
struct rate_interval rate_of_clock(struct slope low, struct slope high, struct rate_interval tsc);

// The interval if the clock's real rate may lie from -below to +above ppb off its nominal one.
struct rate_interval rate_widen(struct rate_interval rate, uint32_t below_ppb, uint32_t above_ppb);

// Half the width of the interval relative to its middle, rounded up. 0 for an interval of zeros.
uint64_t rate_half_width_ppb(struct rate_interval rate);

// About the same from slopes, without a 128-bit division: at most a few ppb (and 2^-30 of itself)
// too high, never more than 1 ppb too low. For deciding whether the exact value is worth its time.
// UINT64_MAX where a bound is missing.
uint64_t slope_half_width_ppb(struct slope low, struct slope high);

// The millihertz of an exact frequency, rounded to nearest.
uint64_t rate_millihertz(struct hertz clock);

// Cycles of a clock of `millihertz` in nanoseconds, rounded down, and back. Saturating; 0 where the
// rate is 0.
uint64_t rate_cycles_to_ns(uint64_t cycles, uint64_t millihertz);
uint64_t rate_ns_to_cycles(uint64_t ns, uint64_t millihertz);

// Cycles in which a clock of slope p counts `ticks`, rounded down, saturating.
uint64_t rate_cycles_of_ticks(uint64_t ticks, struct slope p);

#define VOTE_MAX 16

struct vote {
    bool decided;                  // all agree, or a strict majority does and only one set of it
    struct rate_interval together; // what those that agree have in common (estimate: its middle)
    uint32_t odd;                  // bit i: interval i is not among those that agree
    unsigned agreeing;             // how many are
};

// Combines enclosures of the same rate by intersection (Marzullo 1984). If they have no point in
// common, the largest set that has one decides, if it is a strict majority and unique; else nothing
// is decided. At most VOTE_MAX intervals; none decides nothing.
struct vote rate_vote(const struct rate_interval *intervals, size_t count);
