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
