#include "lib/wide.h"

uint128 wide_divide(uint128 numerator, uint128 denominator, uint128 *remainder)
{
    uint128 quotient = 0, rest = 0;
    unsigned bits = 128;

    if (denominator == 0) {
        if (remainder)
            *remainder = 0;
        return ~(uint128)0;
    }
    if ((numerator | denominator) >> 64 == 0) {
        if (remainder)
            *remainder = (uint64_t)numerator % (uint64_t)denominator;
        return (uint64_t)numerator / (uint64_t)denominator;
    }
    // Long division, a bit of the numerator a turn. Its high half is brought down at once where
    // that is certain to leave the quotient 0. All shifts are by constants: others call into the
    // runtime library as well.
    if (denominator >> 64) {
        rest = numerator >> 64;
        numerator <<= 64;
        bits = 64;
    }
    for (; bits > 0; bits--) {
        // Nothing is shifted out: the rest has at most the bits of the numerator so far.
        rest = rest << 1 | numerator >> 127;
        numerator <<= 1;
        quotient <<= 1;
        if (rest >= denominator) {
            rest -= denominator;
            quotient |= 1;
        }
    }
    if (remainder)
        *remainder = rest;
    return quotient;
}

uint64_t wide_quotient(uint128 numerator, uint128 denominator)
{
    uint128 quotient = wide_divide(numerator, denominator, NULL);

    return quotient > UINT64_MAX ? UINT64_MAX : (uint64_t)quotient;
}

uint64_t wide_quotient_up(uint128 numerator, uint128 denominator)
{
    uint128 remainder;
    uint128 quotient = wide_divide(numerator, denominator, &remainder);

    if (quotient >= UINT64_MAX)
        return UINT64_MAX;
    return (uint64_t)quotient + (remainder != 0);
}

uint64_t wide_mul_div(uint64_t a, uint64_t b, uint64_t c)
{
    return wide_quotient((uint128)a * b, c);
}

uint64_t wide_mul_div_up(uint64_t a, uint64_t b, uint64_t c)
{
    return wide_quotient_up((uint128)a * b, c);
}

static uint64_t thousandths(uint128 numerator, uint64_t denominator, bool up)
{
    uint128 remainder, last;
    uint128 whole = wide_divide(numerator, denominator, &remainder);

    if (whole > UINT64_MAX / 1000)
        return UINT64_MAX;
    whole = whole * 1000 + wide_divide(remainder * 1000, denominator, &last);
    whole += up && last;
    return whole > UINT64_MAX ? UINT64_MAX : (uint64_t)whole;
}

uint64_t wide_thousandths(uint128 numerator, uint64_t denominator)
{
    return thousandths(numerator, denominator, false);
}

uint64_t wide_thousandths_up(uint128 numerator, uint64_t denominator)
{
    return thousandths(numerator, denominator, true);
}
