// The time page that KVM and Xen share with a guest: how TSC cycles become nanoseconds.
//
// Linux arch/x86/include/asm/pvclock-abi.h, struct pvclock_vcpu_time_info; Xen
// public/xen.h, struct vcpu_time_info: the same 32 bytes.
#pragma once

#include "lib/types.h"

struct pvclock_time {
    uint32_t version; // odd while the host writes; 0 where it never did
    uint32_t pad;
    uint64_t tsc_timestamp; // TSC cycles at which system_time was taken; wraps
    uint64_t system_time;   // ns
    uint32_t mul;           // ns = system_time + (cycles << shift) * mul / 2^32
    int8_t shift;           // negative: cycles >> -shift
    uint8_t flags;
    uint8_t reserved[2];
};
_Static_assert(sizeof(struct pvclock_time) == 32, "the layout is the host's");

#define PVCLOCK_TSC_STABLE    (1u << 0) // the same line holds on every vCPU
#define PVCLOCK_GUEST_STOPPED (1u << 1) // the host stopped the guest since the flag was cleared

// Copies the page by the version protocol, in a bounded number of tries. False: the host was
// writing each time, or never wrote at all; `out` is then what was read last.
bool pvclock_copy(const volatile struct pvclock_time *page, struct pvclock_time *out);

// The time at this TSC value, not before the pair's, on the line of the pair: ns. What overflows 64
// bits is lost; bits 5:0 of the shift count.
uint64_t pvclock_ns(const struct pvclock_time *pair, uint64_t tsc);

// The TSC rate that mul and shift state, 10^9 * 2^(32 - shift) / mul hertz, to the nearest mHz;
// 0 where mul is 0 or shift lies outside -32..31. *granularity: what one step of mul makes, in mHz,
// rounded up.
uint64_t pvclock_millihertz(uint32_t mul, int8_t shift, uint64_t *granularity);
