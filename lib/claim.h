// A claim: a frequency that the platform states, and its judgement against a measured interval.
#pragma once

#include "lib/types.h"

// The bus clock is what the APIC timer counts. The base clock is another one on CPUs whose APIC
// timer counts a crystal: it is stated and compared, but nothing that can be read counts it, so it
// gets no verdict.
enum claim_clock { CLAIM_TSC, CLAIM_BUS, CLAIM_BCLK };
const char *claim_clock_word(enum claim_clock clock); // "tsc", "bus", "bclk"

// 1 THz: a stated rate beyond it is refused.
#define CLAIM_MILLIHERTZ_MAX 1000000000000000u

struct claim {
    const char *source; // stable word: "leaf-0x40000010", "generic-block", "leaf-0x15", ...
    enum claim_clock clock;
    bool present;
    bool foreign; // absent since the source belongs to another hypervisor or CPU than this one
    // A nominal source describes the product, not this machine's rate (CPUID 0x15 and 0x16 under a
    // hypervisor, a brand string): it is judged like any other, but decides nothing.
    bool nominal;
    uint64_t millihertz;             // 0 where absent
    uint64_t granularity_millihertz; // the step in which the source can express a rate
    char reason[128];                // absent: why. Present: what the value rests on, or ""
};

// |ppb|.
static inline uint64_t ppb_size(int64_t ppb)
{
    return ppb < 0 ? -(uint64_t)ppb : (uint64_t)ppb;
}

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

#define ERROR_PPB_MAX 1000000000000000

// Judges a stated rate against a measured interval. The error is (stated - true) / true; low_ppb is
// rounded down and high_ppb up, so that [low_ppb, high_ppb] holds every error that the interval
// leaves possible. ok: all of it lies within +-allowed_ppb; off: none of it does; else
// inconclusive. The granularity counts as a part of the estimate, in ppb rounded up. Errors
// saturate at +-ERROR_PPB_MAX. An interval with a 0 or with low > high measures nothing:
// inconclusive, error 0, with the widest bounds.
struct judgement claim_judge(uint64_t stated_millihertz, uint64_t granularity_millihertz,
                             uint64_t tolerance_ppb, struct rate_interval measured);
