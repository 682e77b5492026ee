#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/histogram.h"

static uint64_t seed = 1;

static uint64_t random_word(void)
{
    // splitmix64, Steele, Lea and Flood 2014.
    uint64_t z = seed += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

// The smallest value that at least `permille` thousandths of the sorted values do not exceed.
static uint64_t exact_quantile(const uint64_t *sorted, size_t count, unsigned permille)
{
    size_t wanted = (count * permille + 999) / 1000;

    return sorted[wanted ? wanted - 1 : 0];
}

static void test_empty(void **state)
{
    (void)state;
    struct histogram histogram;

    histogram_reset(&histogram);
    assert_int_equal(histogram.count, 0);
    assert_int_equal(histogram_quantile(&histogram, 0), 0);
    assert_int_equal(histogram_quantile(&histogram, 500), 0);
    assert_int_equal(histogram_quantile(&histogram, 1000), 0);
}

static void test_one_value_is_every_quantile(void **state)
{
    (void)state;
    static const uint64_t values[] = {0,  1,  15,  16,        17,         31,        32,
                                      33, 47, 100, 999999999, 1ull << 63, UINT64_MAX};
    struct histogram histogram;

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        histogram_reset(&histogram);
        histogram_add(&histogram, values[i]);
        for (unsigned permille = 0; permille <= 1000; permille += 250)
            assert_int_equal(histogram_quantile(&histogram, permille), values[i]);
    }
}

static void test_small_values_are_exact(void **state)
{
    (void)state;
    struct histogram histogram;

    histogram_reset(&histogram);
    for (uint64_t value = 0; value < 32; value++)
        histogram_add(&histogram, value);
    // The n-th of 32 values is reached at n/32.
    for (unsigned permille = 1; permille <= 1000; permille++)
        assert_int_equal(histogram_quantile(&histogram, permille),
                         (32 * permille + 999) / 1000 - 1);
}

// Both ends of every bucket, below one that is never asked for: reported exactly, or by at most a
// sixteenth too high.
static void test_every_bucket(void **state)
{
    (void)state;
    struct histogram histogram;

    for (unsigned octave = 4; octave < 64; octave++) {
        for (uint64_t step = 16; step < 32; step++) {
            uint64_t first = step << (octave - 4);
            uint64_t last = first + ((1ull << (octave - 4)) - 1);
            histogram_reset(&histogram);
            histogram_add(&histogram, first);
            histogram_add(&histogram, UINT64_MAX);
            assert_int_equal(histogram_quantile(&histogram, 500), last);
            assert_true(last - first <= first / 16);
            histogram_add(&histogram, last);
            assert_int_equal(histogram_quantile(&histogram, 666), last);
        }
    }
}

static void test_quantiles_of_random_streams(void **state)
{
    (void)state;
    static uint64_t values[1000];
    static struct histogram histogram;

    for (unsigned trial = 0; trial < 500; trial++) {
        size_t count = 1 + random_word() % 1000;
        histogram_reset(&histogram);
        for (size_t i = 0; i < count; i++) {
            values[i] = random_word() >> random_word() % 64;
            histogram_add(&histogram, values[i]);
        }
        qsort(values, count, sizeof(values[0]), compare);
        assert_int_equal(histogram.count, count);
        assert_int_equal(histogram.minimum, values[0]);
        assert_int_equal(histogram.maximum, values[count - 1]);
        assert_int_equal(histogram_quantile(&histogram, 1000), values[count - 1]);
        for (unsigned permille = 1; permille <= 1000; permille++) {
            uint64_t exact = exact_quantile(values, count, permille);
            uint64_t quantile = histogram_quantile(&histogram, permille);
            assert_true(quantile >= exact);
            assert_true(quantile - exact <= exact / 16);
        }
    }
}

static void test_buckets_saturate(void **state)
{
    (void)state;
    struct histogram histogram;

    histogram_reset(&histogram);
    histogram_add(&histogram, 5);
    histogram.buckets[5] = UINT32_MAX;
    histogram_add(&histogram, 5);
    assert_int_equal(histogram.buckets[5], UINT32_MAX);
    // What the buckets have lost counts as the largest value.
    histogram_add(&histogram, 1000);
    histogram.count = 1ull << 33;
    assert_int_equal(histogram_quantile(&histogram, 100), 5);
    assert_int_equal(histogram_quantile(&histogram, 999), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_one_value_is_every_quantile),
        cmocka_unit_test(test_small_values_are_exact),
        cmocka_unit_test(test_every_bucket),
        cmocka_unit_test(test_quantiles_of_random_streams),
        cmocka_unit_test(test_buckets_saturate),
    };

    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
