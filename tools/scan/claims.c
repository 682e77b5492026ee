// The claims that CPUID alone can make: those of kernel/claims/table.c that read nothing else.
#include "kernel/claims/claims.h"

extern const struct claim_source claim_leaf_timing, claim_generic_block, claim_xen_leaf,
    claim_leaf_15, claim_leaf_16, claim_transmeta, claim_brand;

const struct claim_source *const claim_table[] = {
    &claim_leaf_timing,   // 0x40000010
    &claim_generic_block, // blocks named Generic...
    &claim_xen_leaf,      // Xen's base + 3
    &claim_leaf_15,       // 0x15
    &claim_leaf_16,       // 0x16
    &claim_transmeta,     // 0x80860001
    &claim_brand,         // 0x80000002 to 0x80000004
    NULL,
};
