// The rules behind lib/check.c's table, one function each: the result, and its detail in words.
#pragma once

#include "lib/check.h"
#include "lib/text.h"

typedef enum check_result check_function(const struct check_input *input, struct text *detail);

// lib/check_layout.c: signatures, blocks, ranges
check_function check_present_bit, check_signature, check_max_leaf, check_out_of_range,
    check_signature_repeats, check_generic_zero, check_timing_range, check_timing_values,
    check_timing_reserved, check_blocks_16, check_blocks_256, check_generic_block,
    check_vendor_spaces, check_unknown_blocks;

// lib/check_vendor.c: what one vendor's interface asks for
check_function check_interface_signature, check_interface_max_leaf, check_vendor_max_leaf,
    check_hyperv_frequency, check_repeatable;

// lib/check_rates.c: what is stated against what else is stated, and what was measured
check_function check_claims_agree, check_bus_claim, check_invariant_tsc, check_leaf_15,
    check_leaf_16;

// What they share.

// The words of a known leaf, sub-leaf 0; NULL: it was not read.
const struct cpuid_words *check_leaf(const struct check_input *input, uint32_t leaf);

// Writes the detail and returns the result, so that a rule can end in one statement.
enum check_result check_say(struct text *detail, enum check_result result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// The four letters that this vendor's interface has in EAX of leaf + 1, NULL: none are demanded.
const char *check_interface_of(const struct block *block);

// Is there a hypervisor, by the bit or by a block?
bool check_is_guest(const struct scan *scan);
