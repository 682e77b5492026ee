// KVM's paravirtual clock: the page that the host keeps up to date for this vCPU.
// Linux Documentation/virt/kvm/x86/msr.rst and cpuid.rst.
#pragma once

#include "kernel/platform.h"
#include "lib/pvclock.h"

#define PVCLOCK_SIGNATURE "KVMKVMKVM\0\0" // of the block that has KVM's feature leaf

#define PVCLOCK_MSR     0x4b564d01u // MSR_KVM_SYSTEM_TIME_NEW
#define PVCLOCK_MSR_OLD 0x12u       // MSR_KVM_SYSTEM_TIME

// Gives the host a page of ours, by the newer MSR where KVM's feature leaf offers it, else by the
// old one. False: `reason` says why there is none, and no MSR was left written. From here until
// pvclock_disable the host writes to the page whenever it likes.
bool pvclock_enable(const struct platform *platform, char *reason, size_t reason_size);

// The MSR that pvclock_enable wrote.
uint32_t pvclock_msr(void);

// What the page holds now. False: the host writes without end, or never did (bounded).
bool pvclock_snapshot(struct pvclock_time *out);

// Takes the page away from the host.
void pvclock_disable(void);

// On any vCPU, where pvclock_enable found an MSR: gives the host `area`, 32 bytes so aligned,
// copies what it writes there for this vCPU, and takes the area away again. False: #GP, or as
// above.
bool pvclock_read(struct pvclock_time *area, struct pvclock_time *out);
