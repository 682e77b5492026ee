#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/wide.h"

static uint64_t seed = 1;

static uint64_t random_word(void)
{
    // splitmix64, Steele, Lea and Flood 2014.
    uint64_t z = seed += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

// Every length is as likely as every other, and runs of ones and zeros are frequent.
static uint128 random_wide(void)
{
    uint128 value = (uint128)random_word() << 64 | random_word();

    value >>= random_word() % 128;
    switch (random_word() % 4) {
    case 0:
        return (uint128)1 << random_word() % 128;
    case 1:
        return ((uint128)1 << random_word() % 128) - 1;
    default:
        return value;
    }
}

// The host's compiler library divides, the image has none.
static void test_divide_agrees_with_the_compiler(void **state)
{
    (void)state;
    for (int i = 0; i < 300000; i++) {
        uint128 numerator = random_wide(), denominator = random_wide(), remainder;
        if (!denominator)
            continue;
        assert_true(wide_divide(numerator, denominator, &remainder) == numerator / denominator);
        assert_true(remainder == numerator % denominator);
        assert_true(wide_divide(numerator, denominator, NULL) == numerator / denominator);
    }
}

static void test_divide_at_the_edges(void **state)
{
    (void)state;
    const uint128 top = ~(uint128)0;
    const uint128 values[] = {0,       1,           2,       UINT64_MAX, (uint128)UINT64_MAX + 1,
                              top / 2, top / 2 + 1, top - 1, top};

    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        for (size_t j = 1; j < ARRAY_SIZE(values); j++) {
            uint128 remainder;
            assert_true(wide_divide(values[i], values[j], &remainder) == values[i] / values[j]);
            assert_true(remainder == values[i] % values[j]);
        }
    }
}

static void test_division_by_zero_saturates(void **state)
{
    (void)state;
    uint128 remainder = 5;

    assert_true(wide_divide(7, 0, &remainder) == ~(uint128)0);
    assert_true(remainder == 0);
    assert_true(wide_divide(0, 0, NULL) == ~(uint128)0);
    assert_int_equal(wide_quotient(7, 0), UINT64_MAX);
    assert_int_equal(wide_quotient_up(7, 0), UINT64_MAX);
    assert_int_equal(wide_mul_div(2, 3, 0), UINT64_MAX);
    assert_int_equal(wide_mul_div_up(0, 0, 0), UINT64_MAX);
}

static void test_rounding(void **state)
{
    (void)state;
    static const struct {
        uint64_t a, b, c, down, up;
    } cases[] = {
        {0, 9, 5, 0, 0},
        {1, 9, 5, 1, 2},
        {10, 1, 5, 2, 2},
        {3579545, 1000000000, 3579545, 1000000000, 1000000000},
        {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX},
        {UINT64_MAX, UINT64_MAX - 1, UINT64_MAX, UINT64_MAX - 1, UINT64_MAX - 1},
        {UINT64_MAX - 1, UINT64_MAX - 1, UINT64_MAX, UINT64_MAX - 2, UINT64_MAX - 1},
        {UINT64_MAX, 3, 4, 0xbfffffffffffffff, 0xc000000000000000},
        {UINT64_MAX, 2, 1, UINT64_MAX, UINT64_MAX},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(wide_mul_div(cases[i].a, cases[i].b, cases[i].c), cases[i].down);
        assert_int_equal(wide_mul_div_up(cases[i].a, cases[i].b, cases[i].c), cases[i].up);
    }
}

static void test_quotients_saturate(void **state)
{
    (void)state;
    const uint128 limit = (uint128)UINT64_MAX + 1;

    assert_int_equal(wide_quotient(limit * 3 - 1, 3), UINT64_MAX);
    assert_int_equal(wide_quotient(limit * 3, 3), UINT64_MAX);
    assert_int_equal(wide_quotient(limit * 3 - 4, 3), UINT64_MAX - 1);
    assert_int_equal(wide_quotient_up(limit * 3 - 4, 3), UINT64_MAX);
    assert_int_equal(wide_quotient_up(limit * 3 - 2, 3), UINT64_MAX);
    assert_int_equal(wide_quotient_up(~(uint128)0, 1), UINT64_MAX);
    assert_int_equal(wide_quotient_up((uint128)UINT64_MAX - 1, 1), UINT64_MAX - 1);
}

static void test_thousandths(void **state)
{
    (void)state;
    const uint128 top = ~(uint128)0;

    assert_int_equal(wide_thousandths(7, 3), 2333);
    assert_int_equal(wide_thousandths_up(7, 3), 2334);
    assert_int_equal(wide_thousandths(6, 3), 2000);
    assert_int_equal(wide_thousandths_up(6, 3), 2000);
    assert_int_equal(wide_thousandths(0, 3), 0);
    assert_int_equal(wide_thousandths_up(0, 3), 0);
    assert_int_equal(wide_thousandths(7, 0), UINT64_MAX);
    assert_int_equal(wide_thousandths_up(7, 0), UINT64_MAX);
    // A product with 1000 would have 138 bits.
    assert_int_equal(wide_thousandths(top, UINT64_MAX), UINT64_MAX);
    assert_int_equal(wide_thousandths(top / 1000 + 1, 1), UINT64_MAX);
    assert_int_equal(wide_thousandths((uint128)18446744073709551u * UINT64_MAX, UINT64_MAX),
                     18446744073709551000u);
    assert_int_equal(wide_thousandths((uint128)18446744073709551u * 1000 + 615, 1000), UINT64_MAX);
    assert_int_equal(wide_thousandths((uint128)18446744073709551u * 1000 + 614, 1000),
                     UINT64_MAX - 1);
    assert_int_equal(wide_thousandths((uint128)18446744073709551u * 1000 + 616, 1000), UINT64_MAX);
    for (int i = 0; i < 100000; i++) {
        uint128 numerator = random_wide() >> 11;
        uint64_t denominator = (uint64_t)random_wide();
        if (!denominator || numerator * 1000 / denominator >= UINT64_MAX)
            continue;
        uint64_t exact = (uint64_t)(numerator * 1000 / denominator);
        assert_int_equal(wide_thousandths(numerator, denominator), exact);
        assert_int_equal(wide_thousandths_up(numerator, denominator),
                         exact + (numerator * 1000 % denominator != 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_divide_agrees_with_the_compiler),
        cmocka_unit_test(test_divide_at_the_edges),
        cmocka_unit_test(test_division_by_zero_saturates),
        cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_quotients_saturate),
        cmocka_unit_test(test_thousandths),
    };

    return cmocka_run_group_tests_name("wide", tests, NULL, NULL);
}
