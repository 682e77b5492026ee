// How far the TSC of another vCPU is from ours, enclosed by two-way exchange through shared memory.
//
// One exchange: we read our TSC (before) and write a flag; the other vCPU sees the flag, reads its
// TSC (remote) and answers; we see the answer and read our TSC again (after). The other one read
// its TSC while ours lay in [before, after], so its offset to ours lies in [remote - after, remote
// - before]. That needs no model of how long anything takes. It is lib/envelope.h with p = 1: the
// intersection of many exchanges is as wide as the shortest way there plus the shortest way back.
#pragma once

#include "lib/claim.h"
#include "lib/types.h"

struct skew_bound {
    int64_t cycles;         // of the offset
    uint64_t before, after; // our TSC, around the exchange that proves it
};

struct skew {
    uint64_t exchanges;
    uint64_t narrowest;          // cycles of the fastest exchange; UINT64_MAX before the first
    struct skew_bound low, high; // low.cycles <= offset <= high.cycles, if it was constant
};

// No exchange yet.
void skew_start(struct skew *skew);

// Takes an exchange into account. One that ended before it began (our TSC was set back) says
// nothing and is left out.
void skew_add(struct skew *skew, uint64_t before, uint64_t remote, uint64_t after);

// An offset in cycles, and whether any constant offset explains what was seen. If none does, the
// bounds are those of the later block; if that contradicts itself, the offset has been at or below
// `low` and at or above `high`.
struct skew_offset {
    int64_t low, high;
    bool constant;
};

// What two blocks of exchanges, one later than the other, prove together. Both have exchanges.
struct skew_offset skew_join(const struct skew *first, const struct skew *second);

// By how many ppb the other TSC runs faster than ours: each bound of a block proves something about
// the offset at its own moment, and the later block is held against the earlier one. Rounded
// outwards, saturating at +-10^18. False if the blocks overlap in time, one of them is empty, or no
// constant rate explains them.
bool skew_rate(const struct skew *first, const struct skew *second, int64_t *low_ppb,
               int64_t *high_ppb);

// Off: every offset in [low, high] is further from 0 than `limit` cycles. Ok: none is.
enum verdict skew_judge(int64_t low, int64_t high, uint64_t limit);

// Signed cycles of a clock of `millihertz` (not 0) in nanoseconds, rounded down or up. Saturating.
int64_t skew_ns(int64_t cycles, uint64_t millihertz);
int64_t skew_ns_up(int64_t cycles, uint64_t millihertz);
