// 128-bit multiplication and division.
//
// The compiler multiplies 128-bit integers inline, but divides them by a call into its runtime
// library, which the image does not have: whoever needs a quotient calls these.
#pragma once

#include "lib/types.h"

// floor(numerator / denominator), with the remainder where `remainder` is not NULL. A denominator
// of 0 gives the largest value, with remainder 0.
uint128 wide_divide(uint128 numerator, uint128 denominator, uint128 *remainder);

// a * b / c, rounded down or up, saturating at UINT64_MAX. A `c` of 0 gives UINT64_MAX.
uint64_t wide_mul_div(uint64_t a, uint64_t b, uint64_t c);
uint64_t wide_mul_div_up(uint64_t a, uint64_t b, uint64_t c);

// numerator / denominator rounded down or up, saturating at UINT64_MAX.
uint64_t wide_quotient(uint128 numerator, uint128 denominator);
uint64_t wide_quotient_up(uint128 numerator, uint128 denominator);

// 1000 * numerator / denominator rounded down or up, saturating at UINT64_MAX. Unlike the product,
// it never overflows on the way.
uint64_t wide_thousandths(uint128 numerator, uint64_t denominator);
uint64_t wide_thousandths_up(uint128 numerator, uint64_t denominator);
