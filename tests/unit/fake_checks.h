// Which checks fail on the machines of fake_machines.h, and no others: reasoned from what their
// layouts do, with rates that are as they state them.
#pragma once

#include "tests/unit/fake_machines.h"

static const struct {
    enum machine_name machine;
    const char *failed; // ids with a space behind each
} machines_expected[] = {
    // QEMU answers like an Intel CPU, whatever vendor it names; 0x21f is 543 kHz.
    {TCG_MAX, "out-of-range-answer timing-leaf-range "},
    {TCG_NO_BIT, "present-bit out-of-range-answer timing-leaf-range "},
    {TCG_NO_SIGNATURE, "present-bit out-of-range-answer timing-leaf-range "},
    {KVM_PLAIN, ""},
    {KVM_TIMING, ""},
    {KVM_INTEL, "timing-leaf-range "},
    {KVM_INTEL_TIMING, ""},
    {KVM_OLD, "max-leaf-plausible "},
    {KVM_OFF, "present-bit "},
    {KVM_UNDER_HYPERV, ""},
    {HYPERV_VS, "timing-leaf-range "},
    {XEN_PLAIN, ""},
    {XEN_VIRIDIAN, ""},
    {VMWARE, ""},
    {VIRTUALBOX_MINIMAL, "signature-printable "},
    {VIRTUALBOX_HYPERV, ""},
    {EMPTY_NO_TIMING, "present-bit signature-printable "},
    {BHYVE_OLD, "out-of-range-answer signature-once timing-leaf-range "},
    {BHYVE_2025, "out-of-range-answer timing-leaf-range "},
    {BHYVE_TIMING, "out-of-range-answer "},
    {HAXM, ""},
    {ACRN, "out-of-range-answer "},
    {JAILHOUSE, "out-of-range-answer timing-leaf-range "},
    {OPENBSD, "max-leaf-plausible "},
    {EVMM, "max-leaf-plausible "},
    {NVMM, ""},
    {NVMM_OLD, "max-leaf-plausible out-of-range-answer timing-leaf-range "},
    {BARE_INTEL, ""},
    {BARE_AMD, ""},
    {BOCHS, ""},
    {HOST_LEAK, "present-bit out-of-range-answer timing-leaf-range "},
    {UNKNOWN_TIMING, ""},
    {UNKNOWN_LONG, "max-leaf-plausible "},
    {UNKNOWN_ZERO, "max-leaf-plausible "},
    {GENERIC_AT_20, ""},
    {GENERIC_AT_100, "timing-leaf-range "},
    {GENERIC_SHORT, "generic-block-leaf "},
    {UNKNOWN_ELSEWHERE, ""},
    {VENDOR_SPACE, "present-bit "},
};
