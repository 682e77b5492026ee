// The run, top to bottom.
#include <machine.h>

#include "kernel/claims/claims.h"
#include "kernel/console/console.h"
#include "kernel/costs.h"
#include "kernel/cpuid_log.h"
#include "kernel/disturbance.h"
#include "kernel/firmware/firmware.h"
#include "kernel/judge.h"
#include "kernel/measure.h"
#include "kernel/monitor.h"
#include "kernel/platform.h"
#include "kernel/report/emit.h"
#include "kernel/report/report.h"
#include "kernel/smp.h"
#include "kernel/states.h"
#include "kernel/trap.h"

#include "lib/text.h"

// Below this the firmware, its tables and the image share too little: nothing smaller is tested.
#define MEMORY_NEEDED_MIB 16

static struct platform platform;
static struct claim claims[CLAIMS_MAX];
static struct measurement measurement;
static struct monitor monitor;
static struct audit audit;
static struct smp smp;
static struct costs costs;
static struct disturbance disturbance;
static struct states states;
static struct judged judged;

static void count_memory(const struct boot_info *boot)
{
    for (size_t i = 0; i < boot->region_count; i++) {
        const struct memory_region *region = &boot->regions[i];
        if (region->type != MEMORY_RAM)
            continue;
        platform.memory_bytes += region->length;
        if (region->base + region->length > platform.memory_top)
            platform.memory_top = region->base + region->length;
    }
}

static void start(const struct boot_info *boot)
{
    memset(&platform, 0, sizeof(platform));
    memset(&judged, 0, sizeof(judged));
    platform.boot = boot;
    platform.phys = &machine_phys;
    // They may hold options, and those say which sinks there are.
    smbios_parse(&platform.smbios, platform.phys, boot->smbios);
    acpi_parse(&platform.acpi, platform.phys, boot->rsdp);
    fw_cfg_read(&platform);
    const struct option_source sources[] = {
        {"SMBIOS", platform.smbios.options, NULL},
        {"fw_cfg", platform.fw_cfg.options, NULL},
        {NULL, boot->cmdline, boot_protocol_added_words(boot->protocol)},
    };
    options_default(&platform.options);
    options_parse(&platform.options, sources, ARRAY_SIZE(sources), clock_names);
    if (platform.options.duration_ns && platform.options.window_ns > platform.options.duration_ns)
        platform.options.window_ns = platform.options.duration_ns;
    console_open(&platform);
    emit_start();
}

// The run ends here in every case but an exception. `start_tsc` is when it began.
_Noreturn static void finish(uint64_t start_tsc, uint64_t tsc_millihertz)
{
    uint64_t guest_ns = rate_cycles_to_ns(machine_tsc() - start_tsc, tsc_millihertz);

    report_end(&judged, tsc_millihertz ? &guest_ns : NULL);
    machine_leave(judged.outcome, &platform);
}

// An exception: the trap handler has told every sink what happened.
static void on_fault(const char *summary)
{
    judged.outcome = OUTCOME_FAIL;
    judged.more = 0;
    text_print(judged.reason, sizeof(judged.reason), "%s", summary);
    emit_point(false, NULL, "no CPU exception");
    report_end(&judged, NULL);
    machine_leave(OUTCOME_FAIL, &platform);
}

static void require_memory(void)
{
    // Rounded up: firmware keeps a little of the last MiB for itself.
    uint64_t top_mib = (platform.memory_top + (1u << 20) - 1) >> 20;

    if (!platform.boot->region_count || top_mib >= MEMORY_NEEDED_MIB)
        return;
    judged.outcome = OUTCOME_FAIL;
    text_print(judged.reason, sizeof(judged.reason),
               "hypertick needs %u MiB of guest memory, and the memory map ends at %llu MiB",
               MEMORY_NEEDED_MIB, (unsigned long long)top_mib);
    finish(0, 0);
}

static void raise_fault(enum option_fault fault)
{
    switch (fault) {
    case FAULT_NONE:
    case FAULT_VCPU_STACK: // later
        return;
    case FAULT_DE:
        machine_raise_de();
        break;
    case FAULT_UD:
        machine_raise_ud();
        break;
    case FAULT_GP:
        machine_raise_gp();
        break;
    case FAULT_PF:
        machine_raise_pf();
        break;
    case FAULT_STACK:
        machine_raise_stack();
        break;
    }
    emit_note("error", "fault=: no exception came");
}

_Noreturn void kernel_main(const struct boot_info *boot)
{
    uint64_t start_tsc = machine_tsc();

    start(boot);
    trap_set_report(on_fault);
    report_banner(boot);
    raise_fault(platform.options.fault);

    count_memory(boot);
    report_platform(&platform, start_tsc);
    report_sinks();
    report_options(&platform.options);
    require_memory();

    platform.cpuid = cpuid_log_start();
    platform.scan_cycles = machine_tsc();
    scan_run(&platform.scan, &platform.cpuid, platform.options.scan_wide, report_scan_progress);
    platform.scan_cycles = machine_tsc() - platform.scan_cycles;
    report_detection(&platform);
    evidence_gather(&platform);
    report_identity(&platform.evidence);

    size_t claim_count = claims_collect(&platform, claims, CLAIMS_MAX);
    report_claims(claims, claim_count);

    measure_probe(&measurement, &platform);
    measurement.start_tsc = start_tsc;
    report_clocks(&measurement);
    smp_start(&smp, &platform);
    if (platform.options.duration_ns) {
        report_monitor_start(&platform.options);
        monitor_run(&monitor, &measurement, &platform, claims, claim_count, &report_monitor_live);
    } else {
        report_window_start(&measurement, &platform.options);
        measure_window(&measurement, &platform.options, claims, claim_count,
                       report_window_progress);
    }
    report_measurement(&measurement);
    if (platform.options.duration_ns)
        report_monitor(&monitor, &measurement, platform.options.window_ns);
    smp_finish(&smp, &platform.options, &measurement);
    report_vcpus(&smp, &measurement);
    costs_measure(&costs, &platform, claims, claim_count, &measurement);
    report_costs(&costs, measurement.tsc_millihertz);
    disturbance_measure(&disturbance, &platform, &measurement);
    report_disturbance(&disturbance, measurement.tsc_millihertz);
    states_measure(&states, &platform, &measurement);
    report_states(&states);
    audit_run(&audit, &platform, claims, claim_count, &measurement, states.broken);
    report_leaves();

    judge(&judged, &platform, claims, claim_count, &measurement,
          platform.options.duration_ns ? &monitor : NULL, &audit);
    judge_vcpus(&judged, &platform.options, &smp);
    report_verdicts(&judged, &measurement);
    report_oddities(&platform, &judged, &measurement,
                    platform.options.duration_ns ? &monitor : NULL, claims, claim_count);
    report_audit(&audit, platform.options.checks == CHECKS_LIST, platform.options.strict);
    report_stopped_sinks();
    report_page(&platform, &judged, &measurement, &smp, &audit);
    finish(start_tsc, measurement.tsc_millihertz);
}
