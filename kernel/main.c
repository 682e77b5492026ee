// The run, top to bottom.
#include <machine.h>

#include "kernel/claims/claims.h"
#include "kernel/console/console.h"
#include "kernel/cpuid_log.h"
#include "kernel/firmware/firmware.h"
#include "kernel/judge.h"
#include "kernel/measure.h"
#include "kernel/platform.h"
#include "kernel/report/emit.h"
#include "kernel/report/report.h"
#include "kernel/smp.h"
#include "kernel/trap.h"

#include "lib/text.h"

// Below this the firmware, its tables and the image share too little: nothing smaller is tested.
#define MEMORY_NEEDED_MIB 16

// Words that loaders add to the command line by themselves, by door: see docs/options.md.
static const char *const *loader_words(enum boot_protocol protocol)
{
    static const char *const none[] = {NULL};
    // Firecracker, Cloud Hypervisor and kvmtool (x86/kvm.c, builtin-run.c) add what Linux needs;
    // Xen's dom0 gets "dummy"; GRUB names the file.
    static const char *const linux_words[] = {"console=",
                                              "reboot=",
                                              "panic=",
                                              "pci=",
                                              "nomodule",
                                              "nomodules",
                                              "noapic",
                                              "noacpi",
                                              "earlyprintk=",
                                              "rootflags=",
                                              "rootfstype=",
                                              "init=",
                                              "ip=",
                                              "root=",
                                              "dummy",
                                              "ro",
                                              "initrd=",
                                              "rw",
                                              "8250.nr_uarts=",
                                              "i8042.",
                                              "BOOT_IMAGE=",
                                              "virtio_mmio.device=",
                                              NULL};

    switch (protocol) {
    case BOOT_PVH:
    case BOOT_LINUX16:
    case BOOT_LINUX32:
    case BOOT_LINUX64:
        return linux_words;
    default:
        return none;
    }
}

static struct platform platform;
static struct claim claims[CLAIMS_MAX];
static struct measurement measurement;
static struct audit audit;
static struct smp smp;
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
        {NULL, boot->cmdline, loader_words(boot->protocol)},
    };
    options_default(&platform.options);
    options_parse_sources(&platform.options, sources, ARRAY_SIZE(sources), clock_names);
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
    report_window_start(&measurement, &platform.options);
    measure_window(&measurement, &platform.options, claims, claim_count, report_window_progress);
    report_measurement(&measurement);
    audit_run(&audit, &platform, claims, claim_count, &measurement);
    smp_finish(&smp, &platform.options, &measurement);
    report_vcpus(&smp, &measurement);
    report_leaves();

    judge(&judged, &platform, claims, claim_count, &measurement, &audit);
    judge_vcpus(&judged, &platform.options, &smp);
    report_verdicts(&judged, &measurement);
    report_audit(&audit, platform.options.checks == CHECKS_LIST, platform.options.strict);
    report_stopped_sinks();
    report_page(&platform, &judged, &measurement, &smp, &audit);
    finish(start_tsc, measurement.tsc_millihertz);
}
