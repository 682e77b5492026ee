// The audit: which rules of the CPUID conventions does this hypervisor keep?
//
// One rule, one check. docs/checks.md lists them with the reasoning. Checks inform; whether a
// failed one decides anything is the caller's business.
#pragma once

#include "lib/claim.h"
#include "lib/cpuid_table.h"
#include "lib/scan.h"

enum check_result { CHECK_PASS, CHECK_FAIL, CHECK_SKIP };
const char *check_result_word(enum check_result result); // "pass", "fail", "skip"

struct check_rule {
    const char *id;          // stable word, as in expect=check:ID:RESULT
    const char *proposal;    // where the rule comes from: "flat-range", "blocks-16", ...
    const char *explanation; // the rule in one sentence
};

struct check {
    const struct check_rule *rule;
    enum check_result result;
    char detail[128]; // what was read; for a skip, why it does not apply
};

// What two readings of the same leaves differed in.
struct cpuid_repeat {
    unsigned leaves;          // read twice
    unsigned excluded;        // of these differed only in what may change
    unsigned different;       // of these differed in anything else
    struct cpuid_entry first; // of those: the first one, and what it gave the second time
    struct cpuid_words second;
};

// Counts one leaf that was read a second time. What may change is left out: the APIC ids, OSXSAVE,
// the size of the XSAVE area, Hyper-V's leaves that depend on the guest OS id, Xen's time leaf.
void cpuid_repeat_add(struct cpuid_repeat *repeat, const struct scan *scan,
                      const struct cpuid_entry *first, struct cpuid_words second);

struct check_input {
    const struct scan *scan;
    const struct cpuid_entry *leaves; // those that are known
    size_t leaf_count;
    uint32_t leaves_dropped; // reads that there was no room for in `leaves`
    bool is_dump;            // they come from a file, and are not what the scan read from a CPU
    const struct claim *claims;
    size_t claim_count;
    uint64_t tolerance_ppb;          // between a claim and what was measured
    const struct rate_interval *tsc; // as measured, NULL: it was not
    const struct rate_interval *bus;
    const char *tsc_broken;            // what was proven against a constant TSC rate, else NULL
    const struct cpuid_repeat *repeat; // NULL: the leaves were read once
};

#define CHECKS_MAX 24

// Reads the leaves that the audit needs beside those of the scan: 0x80000000, 0x80000007, leaf + 1
// of known blocks whose interface has a signature there, and 0x40000003 where the interface is
// Hyper-V's and the leaf is in range.
void check_read(const struct cpuid_source *source, const struct scan *scan);

// Runs every check, in the order of docs/checks.md. Returns how many that are.
size_t check_run(const struct check_input *input, struct check out[CHECKS_MAX]);

// Is there a check of this id?
bool check_exists(const char *id);
