// The Allan deviation of a stream of frequencies, over octaves of the averaging time, in constant
// memory and integers only.
//
// For adjacent averages y over tau it is sqrt(<(y[k + 1] - y[k])^2> / 2), without overlap (IEEE Std
// 1139-2008, annex A; Allan 1966). Octave n averages over 2^n values of the stream.
#pragma once

#include "lib/types.h"
#include "lib/wide.h"

#define ALLAN_OCTAVES  20
#define ALLAN_MOST_PPT (1ll << 30) // 0.1 %: values are clamped to it, so that no square overflows

struct allan_octave {
    bool half;       // `first` waits for the second value of an average of the next octave
    int64_t first;   // sum of 2^n values
    bool any;        // `last` holds
    int64_t last;    // the sum before the newest
    uint128 squares; // of the differences of adjacent sums
    uint64_t pairs;  // how many differences that are
};

// All zeros: an empty stream.
struct allan {
    struct allan_octave octaves[ALLAN_OCTAVES];
    bool clamped; // a value was out of range: the deviations are too low
};

// Adds the next value: the relative frequency over one more interval of constant length, in parts
// per 10^12 off any constant frequency. There must be no gap between the intervals.
void allan_add(struct allan *allan, int64_t ppt);

// There is a gap between the last value and the next one: no difference is taken over it.
void allan_gap(struct allan *allan);

// The deviation of octave `octave` < ALLAN_OCTAVES in parts per 10^12, rounded down, and the pairs
// that it rests on. False, and nothing set, where there is no pair yet.
bool allan_deviation(const struct allan *allan, unsigned octave, uint64_t *ppt, uint64_t *pairs);
