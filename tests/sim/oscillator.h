// A clock as it truly runs: its phase at any moment of true time.
//
// A rate is kept to 64 significant bits and a phase to 2^-64 of a tick, so the truth that a test
// compares with is off by less than 10^-18 of it.
#pragma once

#include "lib/types.h"
#include "tests/sim/sim.h"

struct oscillator_rate {
    uint64_t multiplier; // ticks per femtosecond = multiplier / 2^shift; 0 stands still
    unsigned shift;
};

struct oscillator {
    struct {
        uint64_t from_fs;
        uint128 phase; // ticks in 64.64 fixed point at from_fs
        struct oscillator_rate rate;
    } segments[SIM_EVENTS_MAX + 1];
    size_t count;
    size_t current; // segment of the last question: time only advances
    uint64_t quantum_fs;
    enum sim_fault fault;
};

void oscillator_start(struct oscillator *oscillator, const struct sim_clock *clock);

// Ticks in 64.64 fixed point, modulo 2^64 ticks. `now_fs` must not decrease from call to call.
uint128 oscillator_phase(struct oscillator *oscillator, uint64_t now_fs);
