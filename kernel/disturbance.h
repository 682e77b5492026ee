// What disturbs: time that goes by between two readings of the TSC in a row. docs/costs.md.
#pragma once

#include "kernel/measure.h"
#include "kernel/platform.h"

// A gap so many times as long as usual is one in which something else ran.
#define GAP_FACTOR 10

// KVM's steal time against the time that was lost.
enum steal_state {
    STEAL_ABSENT, // not offered, or not to be had: steal_reason
    STEAL_AGREES,
    STEAL_MORE, // it claims more than was lost
    STEAL_LESS, // it claims less than half of it
};
const char *steal_state_word(enum steal_state state); // "absent", "agrees", ...

struct disturbance {
    bool ran;                               // false: not asked for, or the TSC does not advance
    bool stopped;                           // the TSC stopped, or slowed down out of all proportion
    uint64_t spin_cycles, reads, backwards; // backwards: readings lower than the one before
    uint64_t typical_cycles;                // from one reading to the next, undisturbed
    uint64_t limit_cycles;                  // what is longer is a gap
    uint64_t gaps, longest_cycles;
    uint64_t lost_cycles; // what the gaps are longer than typical_cycles, together
    uint32_t octaves[64]; // of [2^i, 2^(i+1)) cycles, how many distances there were
    enum steal_state steal;
    uint64_t steal_ns;
    char steal_reason[64]; // why it is absent, else ""
};

// Reads the TSC for as long as window= says.
void disturbance_measure(struct disturbance *disturbance, const struct platform *platform,
                         const struct measurement *measurement);
