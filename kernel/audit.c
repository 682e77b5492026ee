#include "kernel/audit.h"

#include <machine.h>

#include "kernel/cpuid_log.h"
#include "lib/text.h"

// What was proven against a TSC of constant rate, or NULL.
static const char *broken_in_window(const struct measurement *measurement)
{
    if (!measurement->tsc_advances)
        return "the TSC does not advance";
    for (size_t i = 0; i < measurement->incident_count && i < INCIDENTS_MAX; i++) {
        const struct incident *incident = &measurement->incidents[i];
        if (incident->is_pause)
            continue;
        if (incident->back_cycles)
            return "the TSC went back";
        if (incident->tsc_possible && !incident->clocks_possible)
            return incident->is_step ? "the TSC stepped" : "its rate changed";
    }
    return NULL;
}

void audit_run(struct audit *audit, const struct platform *platform, const struct claim *claims,
               size_t claim_count, const struct measurement *measurement, const char *broken)
{
    struct cpuid_repeat repeat;
    const char *in_window = broken_in_window(measurement);
    struct check_input input = {
        .scan = &platform->scan,
        .claims = claims,
        .claim_count = claim_count,
        .tolerance_ppb = platform->options.tolerance_ppb,
        .tsc = measurement->decided ? &measurement->all : NULL,
        .bus = measurement->bus_known ? &measurement->bus : NULL,
        .tsc_broken = in_window ? in_window : broken,
        .repeat = &repeat,
    };

    audit->count = 0;
    if (platform->options.checks == CHECKS_OFF)
        return;
    audit->cycles = machine_tsc();
    audit->scan_cycles = platform->scan_cycles;
    audit->scan_executions = cpuid_log_executions();
    cpuid_log_repeat(&repeat, &platform->scan);
    check_read(&platform->cpuid, &platform->scan);
    input.leaves = cpuid_log_entries(&input.leaf_count, &input.leaves_dropped);
    audit->count = check_run(&input, audit->checks);
    audit->cycles = machine_tsc() - audit->cycles;
    audit->executions = cpuid_log_executions() - audit->scan_executions;
}

const struct check *audit_find(const struct audit *audit, const char *id)
{
    for (size_t i = 0; i < audit->count; i++)
        if (text_equal(audit->checks[i].rule->id, id))
            return &audit->checks[i];
    return NULL;
}
