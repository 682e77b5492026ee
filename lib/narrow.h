// The best single slope: between the narrowest brackets at both ends of a stream.
//
// The ends of the enclosure are made by the luckiest reading on each side of each bracket; its
// middle jitters with them. In the narrowest brackets the latencies are all but constant, so what
// they shift is the same at both ends and drops out of the slope. It proves nothing; the enclosure
// does.
#pragma once

#include "lib/envelope.h"

#define NARROW_KEPT  32  // brackets at each end
#define NARROW_AMONG 512 // readings at each end out of which they are taken

struct narrow {
    struct sample samples[NARROW_KEPT];
    size_t count;
    size_t widest; // index of the widest one kept
};

void narrow_reset(struct narrow *narrow);

// Keeps the sample if it is among the narrowest so far.
void narrow_add(struct narrow *narrow, const struct sample *sample);

// The slope from the centre of `first` to the centre of `last`; {0, 0} unless both are full and the
// second lies after the first. Samples of both must belong to one line.
struct slope narrow_slope(const struct narrow *first, const struct narrow *last);
