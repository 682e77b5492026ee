#include "kernel/claims/claims.h"

extern const struct claim_source claim_leaf_timing, claim_generic_block, claim_leaf_15,
    claim_leaf_16;

const struct claim_source *const claim_table[] = {
    &claim_leaf_timing,   // CPUID 0x40000010: TSC and bus in kHz, set by the hypervisor
    &claim_generic_block, // the same in a block whose signature begins with "Generic"
    &claim_leaf_15,       // CPUID 0x15: crystal and ratio of the CPU
    &claim_leaf_16,       // CPUID 0x16: base frequency of the CPU, in MHz
    NULL,
};
