// What is known about this machine before any claim is collected or any clock probed.
#pragma once

#include "kernel/boot_info.h"
#include "lib/acpi.h"
#include "lib/cpuid.h"
#include "lib/evidence.h"
#include "lib/options.h"
#include "lib/phys.h"
#include "lib/scan.h"
#include "lib/smbios.h"

// QEMU's fw_cfg device, and what its file opt/hypertick/options holds.
struct fw_cfg {
    bool present, has_options;
    char options[BOOT_CMDLINE_MAX]; // NUL-terminated
    char problem[96];               // what was wrong, in words, or ""
};

// Devices in memory lie between 3 GiB and 4 GiB, which is mapped for them (boot/paging.c).
#define DEVICE_WINDOW_START 0xc0000000u

struct platform {
    const struct boot_info *boot;
    const struct phys *phys;
    struct cpuid_source cpuid; // records every leaf that it reads
    struct options options;
    struct acpi_tables acpi;
    struct smbios smbios;
    struct fw_cfg fw_cfg;
    struct scan scan;
    struct evidence evidence; // all zero until the scan is done
    uint64_t scan_cycles;     // TSC cycles that the scans took
    uint64_t memory_bytes;    // RAM that the memory map lists, 0 if there is no map
    uint64_t memory_top;      // highest RAM address
};

// Does CPUID show a hypervisor, by its present bit or by a block of its own?
static inline bool platform_is_virtual(const struct platform *platform)
{
    return platform->scan.present || platform->scan.block_count;
}

// Are the clocks the hardware's own? So they are where no hypervisor shows, and below those that
// divide a machine, or protect it, and emulate none of its devices: Jailhouse and Intel's KGT.
static inline bool platform_has_hardware_clocks(const struct platform *platform)
{
    return !platform_is_virtual(platform) || scan_has_vendor(&platform->scan, "Jailhouse") ||
           scan_has_vendor(&platform->scan, "Intel KGT");
}
