// Hyper-V's interface to its guests, as far as time goes. Hypervisor Top Level Functional
// Specification (TLFS), "Feature and Interface Discovery" and "Timers".
#pragma once

#include "kernel/platform.h"
#include "lib/hyperv_page.h"

// EAX of leaf CPUID_HYPERV_FEATURES
#define HYPERV_ACCESS_REFERENCE_COUNT (1u << 1)
#define HYPERV_ACCESS_REFERENCE_TSC   (1u << 9)
#define HYPERV_ACCESS_FREQUENCIES     (1u << 11)
// EDX of it
#define HYPERV_FREQUENCIES_AVAILABLE (1u << 8)

// TLFS, "Timers", "Frequency MSRs": hertz
#define HYPERV_MSR_TSC_FREQUENCY  0x40000022u
#define HYPERV_MSR_APIC_FREQUENCY 0x40000023u

// The feature leaf. False: this is no Hyper-V interface, or it does not reach that leaf; `reason`
// says which.
bool hyperv_features(const struct platform *platform, struct cpuid_words *features, char *reason,
                     size_t reason_size);

// Gives the hypervisor a page of ours for its reference TSC page. False, with the reason, where
// that is not offered or raises #GP.
bool hyperv_page_enable(const struct platform *platform, char *reason, size_t reason_size);

// What the page holds now. False: it is not valid, or changes without end (bounded).
bool hyperv_page_snapshot(struct hyperv_page *out);

// Gives MSR 0x40000021 back the value that it had before hyperv_page_enable.
void hyperv_page_restore(void);
