// Does the TSC run at one rate whatever the CPU does? docs/costs.md.
#pragma once

#include "kernel/measure.h"
#include "kernel/wake.h"

enum state { STATE_PAUSE, STATE_LOAD, STATE_HALT, STATES };
const char *state_word(enum state state); // "pause", "load", "halt"

enum state_verdict {
    STATE_NONE,    // not measured: reason
    STATE_SAME,    // the enclosures have a common part: no change was seen
    STATE_DIFFERS, // they have none: the rate is another one than in pauses
    STATE_STOPS,   // and less than half
};
const char *state_verdict_word(enum state_verdict verdict); // "none", "same", ...

struct state_rate {
    bool asked;
    enum state_verdict verdict;
    const char *reason; // why it was not measured, else ""
    uint64_t ns;        // by the reference clock
    uint64_t cycles;
    unsigned passes;           // how many times it halted, paused, or did a piece of work
    struct rate_interval rate; // of the TSC, at the clock's nominal rate
};

struct states {
    bool ran;
    const char *clock; // the reference clock, NULL: there is none that fits
    enum wake_result wakes[WAKE_SOURCES];
    struct state_rate rates[STATES];
    const char *broken; // what was found against a TSC of constant rate, or NULL
};

// For the sections halt and load: encloses the TSC's rate for 20 ms in each state. Bounded; halts
// only if an interrupt certainly ends it.
void states_measure(struct states *states, const struct platform *platform,
                    const struct measurement *measurement);
