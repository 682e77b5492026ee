// Xen's time page for this vCPU. Xen public/xen.h (struct shared_info, vcpu_time_info) and
// public/memory.h (XENMEM_add_to_physmap).
#pragma once

#include "kernel/platform.h"
#include "lib/pvclock.h"

#define XEN_SIGNATURE "XenVMMXenVMM" // of the block that has Xen's leaves

// Has Xen map its shared info page over a page of ours, where it stays. False: `reason` says why
// not. Only for HVM and PVH guests, which is what this image can be.
bool xen_time_enable(const struct platform *platform, char *reason, size_t reason_size);

// What vCPU 0's time holds now. False: Xen writes without end, or never did (bounded).
bool xen_time_snapshot(struct pvclock_time *out);

// Does Xen's signature stand at the first base, or at the second behind a Hyper-V interface? To be
// asked before the scan. Xen public/arch-x86/cpuid.h.
bool xen_is_here(void);

// Writes to Xen's own console (public/xen.h, CONSOLEIO_write). False: it may not be used, or did
// not take the bytes. Only where Xen is.
bool xen_console_write(const char *bytes, size_t length);
