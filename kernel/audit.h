// The audit of the CPUID conventions on this machine: lib/check.h with what the run found.
#pragma once

#include "kernel/measure.h"
#include "kernel/platform.h"
#include "lib/check.h"

struct audit {
    struct check checks[CHECKS_MAX];
    size_t count; // 0: checks=off
    // What it took, and the scans before it: TSC cycles, and executions of CPUID.
    uint64_t scan_cycles, cycles;
    uint32_t scan_executions, executions;
};

// After the window: reads every CPUID leaf a second time, and runs the checks. `broken`: what was
// found since against a TSC of constant rate, or NULL.
void audit_run(struct audit *audit, const struct platform *platform, const struct claim *claims,
               size_t claim_count, const struct measurement *measurement, const char *broken);

// The check of this id, or NULL.
const struct check *audit_find(const struct audit *audit, const char *id);
