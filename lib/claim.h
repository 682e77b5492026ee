// A claim: a frequency that the platform states, and its judgement against a measured interval.
#pragma once

#include "lib/types.h"

enum claim_clock { CLAIM_TSC, CLAIM_BUS };
const char *claim_clock_word(enum claim_clock clock); // "tsc", "bus"

struct claim {
    const char *source; // stable word: "leaf-0x40000010", "generic-block", "leaf-0x15", ...
    enum claim_clock clock;
    bool present;
    // A nominal source describes the product, not this machine's rate (CPUID 0x15 and 0x16 under a
    // hypervisor, a brand string): it is judged like any other, but decides nothing.
    bool nominal;
    uint64_t millihertz;             // 0 where absent
    uint64_t granularity_millihertz; // the step in which the source can express a rate
    char reason[128]; // absent: why. Present: what the value rests on, or ""
};

enum verdict { VERDICT_OK, VERDICT_OFF, VERDICT_INCONCLUSIVE };
const char *verdict_word(enum verdict verdict); // "ok", "off", "inconclusive"

// An interval of frequencies and the best value inside it, in millihertz.
struct rate_interval {
    uint64_t low, high, estimate;
};

struct judgement {
    enum verdict verdict;
    int64_t error_ppb;         // against the estimate
    int64_t low_ppb, high_ppb; // the error lies in here whatever the true rate in the interval is
    uint64_t allowed_ppb;      // tolerance + granularity
};

// Judges a stated rate against a measured interval. The error is (stated - true) / true. ok: every rate
// in the interval leaves the error within tolerance + granularity; off: none does; else inconclusive.
// Rates are 1 mHz to 10^15 mHz; errors saturate at +-10^15 ppb.
struct judgement claim_judge(uint64_t stated_millihertz, uint64_t granularity_millihertz,
                             uint64_t tolerance_ppb, struct rate_interval measured);
