// The exact enclosure of a clock's rate: every line that fits all readings, and nothing else.
//
// A reading says: when the TSC stood somewhere in [before, after], the clock stood somewhere in
// [ticks, ticks + step). If the clock is linear in the TSC, clock = p * tsc + c, that is two
// inequalities a reading:
//     p * after  + c >= ticks               the line passes above every floor point (after, ticks)
//     p * before + c <  ticks + step        and below every ceiling point (before, ticks + step)
// Only the upper hull of the floor points and the lower hull of the ceiling points matter, so
// memory is constant however long the stream. Eliminating c leaves p between the steepest slope
// from an earlier ceiling point to a later floor point and the flattest from an earlier floor point
// to a later ceiling point. No noise model, no rounding: integers and 128-bit products.
// A point that an earlier one already implies for every slope left is not even kept.
// docs/estimator.md has the proofs.
//
// Ranges: coordinates below 2^62; ticks must not decrease from one sample to the next.
#pragma once

#include "lib/types.h"

struct sample {
    uint64_t before; // TSC before the sampling access
    uint64_t after;  // TSC after it, with the TSC's own step added
    uint64_t ticks;  // the clock's count, unwrapped
};

// p as ticks / cycles. {0, 0} stands for "no bound yet".
struct slope {
    uint64_t ticks, cycles;
};

struct point {
    uint64_t cycles, ticks;
};

#define HULL_MAX 256

// When a hull is full its middle vertex is dropped: the enclosure stays valid, a little wider.
struct hull {
    struct point points[HULL_MAX];
    size_t count;
};

enum fit {
    FIT_OK,     // every sample so far fits one line
    FIT_BROKEN, // with this sample no line fits: one of the two clocks stepped or changed its rate
    FIT_BACKWARDS // the TSC of this sample lies before the last one's: the TSC stepped back
};

struct envelope {
    struct hull floor, ceiling;
    uint64_t step; // granularity of the clock in ticks, at least 1
    uint64_t samples;
    uint64_t last_before, last_after; // of the last sample
    struct slope low, high;           // p lies in [low, high]
    // The lines that attain the bounds pass through these points of the hulls.
    struct point low_ceiling, high_floor;
};

// No sample yet, of a clock that counts in such steps: at least 1.
void envelope_reset(struct envelope *envelope, uint64_t step);

// Adds one sample. After FIT_BROKEN the bounds are crossed (low > high) and envelope_defect tells
// by how much; after FIT_BACKWARDS the sample was not added. In both cases start again.
enum fit envelope_add(struct envelope *envelope, const struct sample *sample);

// Both bounds known?
bool envelope_bounded(const struct envelope *envelope);

// How far the samples are from fitting one line: a proven lower bound of the smallest number of
// ticks by which `step` would have to grow, in thousandths of a tick; saturates. 0 if they fit.
uint64_t envelope_defect_millitick(const struct envelope *envelope);

// a < b as fractions.
bool slope_less(struct slope a, struct slope b);
