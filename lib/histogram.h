// Quantiles of a stream of durations in constant memory.
//
// Buckets are logarithmic with 16 linear steps an octave, so a quantile is exact below 32 and at
// most 1/16 too high above; minimum and maximum are exact.
#pragma once

#include "lib/types.h"

#define HISTOGRAM_STEPS   16
#define HISTOGRAM_BUCKETS ((64 - 4) * HISTOGRAM_STEPS + HISTOGRAM_STEPS)

struct histogram {
    uint64_t count, minimum, maximum;
    uint32_t buckets[HISTOGRAM_BUCKETS]; // each saturates
};

// Empty; and one more duration, of any unit.
void histogram_reset(struct histogram *histogram);
void histogram_add(struct histogram *histogram, uint64_t value);

// The smallest bucket limit that at least `permille` / 1000 of the values do not exceed, clamped
// into [minimum, maximum]; 0 without values.
uint64_t histogram_quantile(const struct histogram *histogram, unsigned permille);
