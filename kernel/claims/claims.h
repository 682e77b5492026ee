// Where claims come from: one file a source.
//
// Adding one: a file in kernel/claims/ that ends in a `const struct claim_source`, and a line in
// kernel/claims/table.c. docs/adding-a-clock.md walks through it.
#pragma once

#include "kernel/platform.h"
#include "lib/claim.h"

struct claim_source {
    const char *name; // stable word, the `source` of its claims
    // Writes what the source states, present or absent with the reason, and returns how many claims
    // that are. Writes none if there is no room for all of them.
    size_t (*collect)(const struct platform *platform, struct claim *out, size_t max);
};

// The table of contents: every source there is, NULL-terminated, in the order of reports.
extern const struct claim_source *const claim_table[];

// The claims of every source; CLAIMS_MAX is room for all. Returns how many were written.
size_t claims_collect(const struct platform *platform, struct claim *out, size_t max);

// What the sources share, from here.

// A claim that is not there, and why.
void claim_absent(struct claim *claim, const char *source, enum claim_clock clock, bool nominal,
                  const char *format, ...) __attribute__((format(printf, 5, 6)));

// The one claim of a source that belongs to another hypervisor or CPU, whichever clock it is about.
// Gives 1, what `collect` returns then; 0 where `max` is 0.
size_t claim_foreign(struct claim *claim, size_t max, const char *source, bool nominal,
                     const char *why);

// A claim of `millihertz`; the text says what it rests on. It becomes absent, and its reason says
// what was stated, unless such a clock can have that rate: a TSC 100 MHz to 20 GHz, a bus 1 MHz to
// 20 GHz.
void claim_stated(struct claim *claim, const char *source, enum claim_clock clock, bool nominal,
                  uint64_t millihertz, uint64_t granularity_millihertz, const char *format, ...)
    __attribute__((format(printf, 7, 8)));

// A claim of the TSC by a multiplier and shift to nanoseconds, as in KVM's and Xen's clock pages.
void claim_scaled(struct claim *claim, const char *source, uint32_t mul, int8_t shift);

// Is this basic leaf there? If not, `reason` says so. Beyond the highest basic leaf many CPUs
// answer with that leaf's words, which must not be taken for a frequency.
#define CLAIM_RANGE_SIZE 64
bool claim_leaf_in_range(const struct scan *scan, uint32_t leaf, char reason[CLAIM_RANGE_SIZE]);

// A timing leaf: EAX is the TSC's rate in kHz, EBX the bus's (0: not stated), judged one by one.
// `refused` says why neither counts, or is "". Writes two claims, TSC first.
void claim_timing(struct claim out[2], const char *source, struct cpuid_words words,
                  const char *refused, const char *rests_on);
