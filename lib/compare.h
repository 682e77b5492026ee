// Two claims about the same clock, held against each other.
#pragma once

#include "lib/claim.h"

struct comparison {
    int64_t difference_ppb;   // of a from b, to the nearest
    uint64_t granularity_ppb; // of both together, relative to b, rounded up
    bool agree;               // they differ by no more than that (decided in mHz, exactly)
};

// Both claims are present. Parts per billion saturate at ERROR_PPB_MAX.
struct comparison claim_compare(const struct claim *a, const struct claim *b);
