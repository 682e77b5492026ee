#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/sample.h"

#define COUNT 2000

static uint64_t seed = 1;

static uint64_t random_word(void)
{
    // xorshift64, Marsaglia 2003.
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static uint64_t values[COUNT];

// Every length up to one beyond two of the gaps, and a long one: in order, and the same values.
static void test_sort(void **state)
{
    (void)state;
    for (size_t count = 0; count <= COUNT; count = count < 70 ? count + 1 : count + 386) {
        uint64_t sum = 0, product = 1, mask = count % 2 ? 7 : UINT64_MAX;
        for (size_t i = 0; i < count; i++) {
            values[i] = random_word() & mask; // some runs with many equal values
            sum += values[i];
            product *= 2 * values[i] + 1;
        }
        sample_sort(values, count);
        for (size_t i = 0; i < count; i++) {
            if (i)
                assert_true(values[i - 1] <= values[i]);
            sum -= values[i];
        }
        assert_int_equal(sum, 0);
        uint64_t after = 1;
        for (size_t i = 0; i < count; i++)
            after *= 2 * values[i] + 1;
        assert_int_equal(after, product);
    }
}

static void test_sort_extremes(void **state)
{
    (void)state;
    uint64_t extremes[] = {UINT64_MAX, 0, 1ull << 63, 1};

    sample_sort(extremes, 4);
    assert_int_equal(extremes[0], 0);
    assert_int_equal(extremes[1], 1);
    assert_int_equal(extremes[2], 1ull << 63);
    assert_int_equal(extremes[3], UINT64_MAX);
}

static void test_quantiles(void **state)
{
    (void)state;
    static const struct {
        size_t count; // of the values 10, 20, 30, ...
        unsigned permille;
        uint64_t quantile;
    } cases[] = {
        {1, 0, 10},       {1, 500, 10},     {1, 1000, 10},     {2, 500, 10},    {2, 501, 20},
        {3, 500, 20},     {100, 0, 10},     {100, 500, 500},   {100, 990, 990}, {100, 991, 1000},
        {200, 990, 1980}, {200, 995, 1990}, {200, 1000, 2000}, {7, 990, 70},
    };

    for (size_t i = 0; i < COUNT; i++)
        values[i] = 10 * (i + 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(sample_quantile(values, cases[i].count, cases[i].permille),
                         cases[i].quantile);
}

static void test_gcd(void **state)
{
    (void)state;
    assert_int_equal(sample_gcd(0, 0), 0);
    assert_int_equal(sample_gcd(0, 26), 26);
    assert_int_equal(sample_gcd(26, 0), 26);
    assert_int_equal(sample_gcd(1, UINT64_MAX), 1);
    assert_int_equal(sample_gcd(UINT64_MAX, UINT64_MAX), UINT64_MAX);
    assert_int_equal(sample_gcd(1ull << 63, 3ull << 40), 1ull << 40);
    assert_int_equal(sample_gcd(26 * 35, 26 * 12), 26);
    assert_int_equal(sample_gcd(26 * 12, 26 * 35), 26);
}

// Any multiples of a step have it in common, and a few of them nothing more.
static void test_gcd_finds_a_step(void **state)
{
    (void)state;
    static const uint64_t steps[] = {1, 2, 26, 1000, 4096, 1000000007};

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        uint64_t step = 0;
        for (unsigned j = 0; j < 40; j++)
            step = sample_gcd(step, steps[i] * (random_word() >> 40));
        assert_int_equal(step, steps[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sort),
        cmocka_unit_test(test_sort_extremes),
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_gcd),
        cmocka_unit_test(test_gcd_finds_a_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
