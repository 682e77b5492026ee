// From measurements to an outcome: verdicts on the claims, expectations, PASS, FAIL or
// INCONCLUSIVE.
#pragma once

#include "kernel/audit.h"
#include "kernel/leave.h"
#include "kernel/measure.h"
#include "kernel/platform.h"
#include "kernel/smp.h"
#include "lib/claim.h"

#define CLAIMS_MAX 48

struct judged_claim {
    const struct claim *claim;
    struct judgement judgement;
    const char *reason; // where inconclusive, else ""
};

struct judged_expectation {
    const struct expectation *expectation;
    bool met;
    char actual[64];
};

struct judged {
    struct judged_claim claims[CLAIMS_MAX]; // those that are present
    size_t claim_count;
    struct judged_expectation expectations[EXPECT_MAX];
    size_t expectation_count;
    enum outcome outcome;
    unsigned more;    // further findings as severe as the one that decided
    char reason[192]; // one sentence that says why
};

struct monitor;

// Judges everything. The outcome rules are ruling 2 of the design, written out in docs/verdicts.md.
// `monitor` is NULL in a run without duration=.
void judge(struct judged *judged, const struct platform *platform, const struct claim *claims,
           size_t claim_count, const struct measurement *measurement, const struct monitor *monitor,
           const struct audit *audit);

// What the other vCPUs add to the outcome, after judge.
void judge_vcpus(struct judged *judged, const struct options *options, const struct smp *smp);
