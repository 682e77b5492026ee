// A few values that were measured: in order, their quantiles, what they have in common.
#pragma once

#include "lib/types.h"

// Sorts in place, upwards.
void sample_sort(uint64_t *values, size_t count);

// The smallest of `count` sorted values that at least `permille` / 1000 of them do not exceed.
// `count` at least 1, `permille` 0 to 1000.
uint64_t sample_quantile(const uint64_t *sorted, size_t count, unsigned permille);

// The greatest common divisor. 0 has every divisor: sample_gcd(a, 0) is a.
uint64_t sample_gcd(uint64_t a, uint64_t b);
