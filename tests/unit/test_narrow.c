// The slope between the narrowest brackets at both ends.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "lib/narrow.h"

// A reading of a clock that counts one tick in three cycles, taken in the middle of its bracket.
static struct sample sample_at(uint64_t middle, uint64_t half_width)
{
    return (struct sample){middle - half_width, middle + half_width, middle / 3};
}

static void fill(struct narrow *narrow, uint64_t from, size_t count, uint64_t half_width)
{
    for (size_t i = 0; i < count; i++) {
        struct sample sample = sample_at(from + 300 * i, half_width);
        narrow_add(narrow, &sample);
    }
}

static void test_exact_slope(void **state)
{
    struct narrow first, last;

    (void)state;
    narrow_reset(&first);
    narrow_reset(&last);
    fill(&first, 3000, NARROW_KEPT, 30);
    fill(&last, 3000000, NARROW_KEPT, 30);
    struct slope slope = narrow_slope(&first, &last);
    assert_int_equal(slope.cycles, 3 * slope.ticks);
    assert_true(slope.ticks > 0);
}

// Only the narrowest are kept, whenever they come; a wide one with a wrong count has no say.
static void test_wide_ones_are_dropped(void **state)
{
    struct narrow first, last;

    (void)state;
    narrow_reset(&first);
    narrow_reset(&last);
    for (size_t i = 0; i < 100; i++) {
        struct sample wrong = {3000 + i, 9000 + i, 77};
        narrow_add(&first, &wrong);
    }
    fill(&first, 30000, NARROW_KEPT, 30);
    for (size_t i = 0; i < 100; i++) {
        struct sample wrong = {3000 + i, 9000 + i, 77};
        narrow_add(&first, &wrong);
    }
    fill(&last, 3000000, NARROW_KEPT, 30);
    assert_int_equal(first.count, NARROW_KEPT);
    struct slope slope = narrow_slope(&first, &last);
    assert_int_equal(slope.cycles, 3 * slope.ticks);
}

// Latencies that are not in the middle shift both ends alike.
static void test_constant_latency_drops_out(void **state)
{
    struct narrow first, last;

    (void)state;
    narrow_reset(&first);
    narrow_reset(&last);
    for (size_t i = 0; i < NARROW_KEPT; i++) {
        struct sample early = {3000 + 300 * i, 3090 + 300 * i, (3000 + 300 * i) / 3};
        struct sample late = {600000 + 300 * i, 600090 + 300 * i, (600000 + 300 * i) / 3};
        narrow_add(&first, &early);
        narrow_add(&last, &late);
    }
    struct slope slope = narrow_slope(&first, &last);
    assert_int_equal(slope.cycles, 3 * slope.ticks);
}

static void test_no_slope(void **state)
{
    struct narrow first, last;

    (void)state;
    narrow_reset(&first);
    narrow_reset(&last);
    fill(&first, 3000, NARROW_KEPT, 30);
    fill(&last, 300000, NARROW_KEPT - 1, 30);
    assert_int_equal(narrow_slope(&first, &last).cycles, 0);
    fill(&last, 400000, 1, 30);
    assert_true(narrow_slope(&first, &last).cycles > 0);
    assert_int_equal(narrow_slope(&last, &first).cycles, 0);
    assert_int_equal(narrow_slope(&first, &first).cycles, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact_slope),
        cmocka_unit_test(test_wide_ones_are_dropped),
        cmocka_unit_test(test_constant_latency_drops_out),
        cmocka_unit_test(test_no_slope),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
