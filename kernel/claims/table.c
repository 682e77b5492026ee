#include "kernel/claims/claims.h"

extern const struct claim_source claim_leaf_timing, claim_generic_block, claim_pvclock,
    claim_hyperv_msr, claim_hyperv_tsc_page, claim_xen_leaf, claim_xen_time, claim_vmware_port,
    claim_jailhouse, claim_leaf_15, claim_leaf_16, claim_msr_0xce, claim_msr_fsb, claim_amd_pstate,
    claim_transmeta, claim_brand, claim_smbios;

// docs/claims.md has a line for each, in the same order.
const struct claim_source *const claim_table[] = {
    // What hypervisors state
    &claim_leaf_timing,     // CPUID 0x40000010: TSC and bus in kHz
    &claim_generic_block,   // the same in a block whose signature begins with "Generic"
    &claim_pvclock,         // KVM's clock page: multiplier and shift
    &claim_hyperv_msr,      // MSRs 0x40000022 and 0x40000023: TSC and bus in Hz
    &claim_hyperv_tsc_page, // Hyper-V's reference TSC page: its scale
    &claim_xen_leaf,        // Xen's leaf base + 3
    &claim_xen_time,        // Xen's clock page: multiplier and shift
    &claim_vmware_port,     // VMware's GETHZ, by port and by hypercall
    &claim_jailhouse,       // what its loader hands to Linux: TSC and bus in kHz
    // What CPUs state
    &claim_leaf_15,    // CPUID 0x15: crystal and ratio
    &claim_leaf_16,    // CPUID 0x16: base and reference frequency in MHz
    &claim_msr_0xce,   // Intel's ratio times the bus clock
    &claim_msr_fsb,    // Intel's bus clock, and ratios that are not in MSR 0xCE
    &claim_amd_pstate, // AMD's P-state 0
    &claim_transmeta,  // Transmeta's leaf 0x80860001
    &claim_brand,      // "@ 2.60GHz"
    &claim_smbios,     // firmware's description of the processor, in MHz
    NULL,
};
