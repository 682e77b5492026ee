// What is read from the machine about itself, besides its tables (those are lib/acpi, lib/smbios).
#pragma once

#include "kernel/platform.h"

// Is there evidence of a hypervisor, or of QEMU's firmware, that makes it harmless to write to the
// ports of QEMU's own devices? A signature that is known, QEMU's ACPI or SMBIOS tables. Elsewhere
// that would be a write to who knows what. The signature is read here, since this is needed before
// the scan, and after an exception. `platform` NULL: nothing else is known.
bool qemu_is_possible(const struct platform *platform);

// Does CPUID leaf 0x21 say that this is a trust domain of Intel TDX?
bool is_tdx(const struct platform *platform);

// Reads the file "opt/hypertick/options" of QEMU's fw_cfg device, if there is one, into
// platform->fw_cfg. Touches nothing unless qemu_is_possible.
void fw_cfg_read(struct platform *platform);

// Reads what else may tell who runs this guest, and draws the conclusion: platform->evidence. After
// the scan.
void evidence_gather(struct platform *platform);
