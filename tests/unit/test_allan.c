// The Allan deviation: against the definition, computed from all values at once.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "lib/allan.h"

#define VALUES 1000

static struct allan allan;
static int64_t values[VALUES];

static long double average(size_t first, size_t count)
{
    long double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += values[first + i];
    return sum / count;
}

static void check_octaves(void)
{
    allan = (struct allan){0};
    for (size_t i = 0; i < VALUES; i++)
        allan_add(&allan, values[i]);
    for (unsigned n = 0; n < ALLAN_OCTAVES; n++) {
        size_t length = (size_t)1 << n, count = 0;
        long double squares = 0;
        uint64_t ppt = 0, pairs = 0;
        for (size_t i = 0; i + 2 * length <= VALUES; i += length, count++) {
            long double change = average(i + length, length) - average(i, length);
            squares += change * change;
        }
        assert_int_equal(allan_deviation(&allan, n, &ppt, &pairs), count != 0);
        assert_int_equal(pairs, count);
        if (!count)
            continue;
        // Rounded down, before the root and after it: the next number but one is above it.
        long double variance = squares / (2 * count), least = ppt, above = least + 2;
        assert_true(least * least <= variance * (1 + 1e-15L));
        assert_true(above * above > variance);
    }
}

static void test_noise(void **state)
{
    uint32_t random = 1;

    (void)state;
    for (size_t i = 0; i < VALUES; i++) {
        random = random * 1664525 + 1013904223;
        values[i] = (int64_t)(random >> 8) - (1 << 23);
    }
    check_octaves();
    assert_false(allan.clamped);
}

static void test_drift(void **state)
{
    (void)state;
    for (size_t i = 0; i < VALUES; i++)
        values[i] = (int64_t)i * 1000 - 500000;
    check_octaves();
}

static void test_extremes(void **state)
{
    uint64_t ppt, pairs;

    (void)state;
    for (size_t i = 0; i < VALUES; i++)
        values[i] = i / 3 % 2 ? ALLAN_MOST_PPT : -ALLAN_MOST_PPT;
    check_octaves();
    assert_false(allan.clamped);
    allan = (struct allan){0};
    allan_add(&allan, INT64_MIN);
    assert_true(allan.clamped);
    assert_false(allan_deviation(&allan, 0, &ppt, &pairs));
    allan_add(&allan, INT64_MAX);
    assert_true(allan_deviation(&allan, 0, &ppt, &pairs));
    assert_int_equal(pairs, 1);
    assert_int_equal(ppt, 1518500249); // 2^31 / sqrt(2)
}

// Over a gap no difference is taken: two streams give the mean of what each gives.
static void test_a_gap(void **state)
{
    uint64_t ppt, pairs;

    (void)state;
    allan = (struct allan){0};
    for (unsigned i = 0; i < 8; i++)
        allan_add(&allan, i % 2 ? 1000 : -1000);
    allan_gap(&allan);
    for (unsigned i = 0; i < 8; i++)
        allan_add(&allan, 1000000);
    assert_true(allan_deviation(&allan, 0, &ppt, &pairs));
    assert_int_equal(pairs, 14);
    assert_int_equal(ppt, 1000); // seven differences of 2000 and seven of 0: sqrt(2000^2 / 2 / 2)
    assert_true(allan_deviation(&allan, 1, &ppt, &pairs));
    assert_int_equal(pairs, 6);
    assert_int_equal(ppt, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_drift),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_a_gap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
