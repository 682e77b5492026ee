// What an access costs, and what kind of a clock the TSC is: docs/costs.md.
#pragma once

#include "kernel/measure.h"
#include "kernel/platform.h"
#include "lib/claim.h"

#define COSTS_MAX        24
#define COST_SAMPLES_MAX 200

// A row ends after so long with the samples that it has then, 9 at least, but after 8 times as long
// with one: an access may take 100 us, and a stall come in between.
#define COST_ROW_NS     1500000u
#define COST_ROW_CYCLES 4000000u // where the TSC's rate is not known

// RDTSC without leaving the guest takes 20 to 50 cycles, an exit and what handles it 1000 and more.
#define COST_TRAPPED_CYCLES 500u
// A NOP takes less than one cycle unless software executes it.
#define COST_EMULATED_CYCLES 100u

struct cost {
    char access[24]; // "rdtsc", "cpuid-0x1", "clock-pit", "rdmsr-0x10", ...
    size_t samples;  // 0: the TSC went back each time
    uint64_t min_cycles, median_cycles, p99_cycles;
};

enum rdtsc_kind {
    RDTSC_UNKNOWN,  // the TSC's steps are too coarse to tell
    RDTSC_DIRECT,   // the CPU executes it in the guest, or a translator close to it
    RDTSC_TRAPPED,  // the hypervisor does
    RDTSC_EMULATED, // software executes every instruction
};
const char *rdtsc_kind_word(enum rdtsc_kind kind); // "unknown", "direct", ...

enum rdtscp_state { RDTSCP_ABSENT, RDTSCP_FAULTS, RDTSCP_CONSISTENT, RDTSCP_INCONSISTENT };
const char *rdtscp_state_word(enum rdtscp_state state); // "absent", ...

struct costs {
    bool ran; // false: not asked for, or the TSC does not advance
    size_t count;
    struct cost rows[COSTS_MAX];

    enum rdtsc_kind rdtsc;
    uint64_t rdtsc_cycles; // two in a row, at the median
    uint64_t nop_cycles;   // one NOP, at the median
    uint64_t step_cycles;  // greatest common divisor of the differences of its readings
    bool one_ghz;          // the measured rate is 1 GHz, as far as that can be told
    enum rdtscp_state rdtscp;
    bool has_adjust;
    uint64_t adjust; // IA32_TSC_ADJUST
    bool has_deadline;
};

// Measures all of it, in less than 50 ms unless single accesses take longer than COST_ROW_NS.
void costs_measure(struct costs *out, const struct platform *platform, const struct claim *claims,
                   size_t claim_count, const struct measurement *measurement);
