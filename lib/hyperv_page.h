// Hyper-V's reference TSC page: time in 100 ns = tsc * scale / 2^64 + offset.
//
// Hypervisor Top Level Functional Specification, "Partition Reference Time Enlightenment".
#pragma once

#include "lib/types.h"

struct hyperv_page {
    uint32_t sequence; // 0: the page does not hold
    uint32_t reserved;
    uint64_t scale;
    int64_t offset; // 100 ns
};

// Copies the page if its sequence number is not 0 and stayed as it is; bounded. False: neither.
bool hyperv_page_copy(const volatile struct hyperv_page *page, struct hyperv_page *out);

// The TSC rate that the scale states, 10^7 * 2^64 / scale hertz, to the nearest mHz, saturating; 0
// for a scale of 0. *granularity: what one step of the scale makes, in mHz, rounded up.
uint64_t hyperv_page_millihertz(uint64_t scale, uint64_t *granularity);
