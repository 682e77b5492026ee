// What a deviation of a claim looks like, where its size tells: docs/oddities.md.
#pragma once

#include "lib/claim.h"

// A host's own error, whose size is that of what NTP corrects (RFC 5905: at most 500 ppm). Below a
// ppm it is nothing to talk about.
#define ODDITY_HOST_MIN_PPB 1000
#define ODDITY_HOST_MAX_PPB 500000
// A spread-spectrum clock runs up to so much below its nominal rate, on the average about half.
#define ODDITY_SPREAD_MAX_PPB 5000000
// A claim that is further off describes another machine.
#define ODDITY_FOREIGN_PPB 10000000

enum deviation {
    DEVIATION_PLAIN,
    DEVIATION_HOST,    // proven to be 1 ppm off or more, and by no more than 500 ppm
    DEVIATION_SPREAD,  // of a crystal times a ratio: proven 500 to 5000 ppm above the measured rate
    DEVIATION_FOREIGN, // proven to be more than 1 % off
};

// Of a claim that was judged with this tolerance. All sizes are beyond the step in which the source
// can express a rate. An inconclusive verdict may still tell: what counts is what is proven.
enum deviation deviation_of(const struct claim *claim, const struct judgement *judgement,
                            uint64_t tolerance_ppb);

#define QUOTIENT_MAX   20
#define QUOTIENT_PARTS 20000 // 50 ppm

// Is stated / measured within 1 / QUOTIENT_PARTS of over / under, neither above QUOTIENT_MAX? Gives
// the one with the least `under`. Rates in mHz, up to CLAIM_MILLIHERTZ_MAX.
bool simple_quotient(uint64_t stated, uint64_t measured, unsigned *over, unsigned *under);
