// The claims that CPUID alone can make: those of kernel/claims/table.c that read nothing else.
#include "kernel/claims/claims.h"

extern const struct claim_source claim_leaf_timing, claim_generic_block, claim_xen_leaf,
    claim_leaf_15, claim_leaf_16, claim_transmeta, claim_brand;

const struct claim_source *const claim_table[] = {
    &claim_leaf_timing, &claim_generic_block, &claim_leaf_15, &claim_leaf_16, NULL,
};
