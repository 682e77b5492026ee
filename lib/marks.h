// Readings kept out of a long stream, evenly and in constant memory, and the drift that they prove.
//
// Between two readings the mean rate is bounded whatever the clock did in between, as long as it
// counted on: no line need fit. Two such means, of the first and the second half of the stream, say
// how far the rate moved.
#pragma once

#include "lib/envelope.h"
#include "lib/types.h"

#define MARKS_MAX 64

struct marks {
    struct sample kept[MARKS_MAX]; // each `stride`-th
    size_t count;
    uint64_t added, stride;
    struct sample last;
};

// Relative to the clock, in parts per 10^12: by how much the TSC's mean rate in the second half of
// the stream was higher than in the first.
struct drift {
    int64_t low_ppt, high_ppt; // it lies in here
    uint64_t cycles;           // from the middle of the one half to the middle of the other
};

// No reading yet.
void marks_reset(struct marks *marks);

// Adds the next reading; its ticks continue those of the ones before.
void marks_add(struct marks *marks, const struct sample *sample);

// Forgets those that end after `until`.
void marks_cut(struct marks *marks, uint64_t until);

// False while there are too few marks. `step` is the granularity of the clock in ticks.
bool marks_drift(const struct marks *marks, uint64_t step, struct drift *drift);
