#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "lib/slice.h"

static struct slice slice;
static struct recall recall;
static uint64_t random_state = 1;

// A reading at `cycles` of a clock that counts a tick every `per_tick` cycles, anywhere in a
// bracket of 100 cycles.
static struct sample reading(uint64_t cycles, uint64_t ticks)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    uint64_t early = random_state >> 33 & 63;

    return (struct sample){cycles - early, cycles - early + 100, ticks};
}

static void add(uint64_t cycles, uint64_t ticks)
{
    struct sample sample = reading(cycles, ticks);

    slice_add(&slice, &sample);
    recall_add(&recall, &sample, 1, (struct slope){1, 10});
}

static void start(void)
{
    slice_reset(&slice, 1);
    recall_reset(&recall);
}

static bool encloses(uint64_t ticks, uint64_t cycles)
{
    struct slope low, high, truth = {ticks, cycles};

    return slice_enclosure(&slice, &low, &high) && !slope_less(truth, low) &&
           !slope_less(high, truth);
}

static void test_a_window_is_enclosed_by_itself(void **state)
{
    (void)state;
    start();
    // Four windows, each of another rate; the last reading of one is the first of the next.
    uint64_t cycles = 1000, ticks = 1;
    for (uint64_t window = 0; window < 4; window++) {
        uint64_t per_tick = 10 + window;
        for (unsigned i = 0; i < 400; i++) {
            cycles += 100 * per_tick;
            ticks += 100;
            add(cycles, ticks);
        }
        assert_true(encloses(1, per_tick));
        assert_int_equal(slice.samples, window ? 401 : 400);
        assert_int_equal(slice.segments, 1);
        struct sample last = slice.last;
        slice_end(&slice, &recall, 1);
        assert_true(slice.mark_known);
        assert_int_equal(slice.linked, window != 0);
        // From the end of the one window to that of the next the rate is this one's, about.
        if (window) {
            assert_in_range(slice.slope.cycles * 100 / slice.slope.ticks, per_tick * 100 - 30,
                            per_tick * 100 + 30);
        } else {
            assert_int_equal(slice.slope.cycles, 0);
        }
        slice_begin(&slice);
        assert_int_equal(slice.samples, 1);
        assert_int_equal(slice.began, last.before);
    }
}

static void test_a_cut_keeps_what_was_proven(void **state)
{
    (void)state;
    start();
    for (uint64_t i = 1; i <= 100; i++)
        add(i * 1000, i * 100);
    slice_cut(&slice);
    // The count begins anew, long after.
    for (uint64_t i = 1; i <= 10; i++)
        add(5000000 + i * 1000, i * 100);
    assert_true(encloses(1, 10));
    assert_int_equal(slice.segments, 2);
    struct slope low, high;
    assert_true(slice_enclosure(&slice, &low, &high));
    assert_true((double)high.ticks / (double)high.cycles - (double)low.ticks / (double)low.cycles <
                0.1 * 300 / 99000);
    slice_end(&slice, &recall, 1);
    assert_false(slice.linked);
    assert_int_equal(slice.slope.cycles, 0);
    // Across the end of a window nothing is fed in again.
    slice_cut(&slice);
    slice_begin(&slice);
    assert_int_equal(slice.samples, 0);
    assert_false(slice_enclosure(&slice, &low, &high));
}

static void test_a_break_forgets_what_is_in_doubt(void **state)
{
    struct slope low, high, early_low, early_high;

    (void)state;
    start();
    // A new rate from the reading at 600 on; the break is met at 1000.
    for (uint64_t i = 1; i <= 1000; i++)
        add(i * 1000 + (i > 600 ? (i - 600) * 10 : 0), i * 100);
    slice_break(&slice, 300000);
    assert_true(slice_enclosure(&slice, &early_low, &early_high));
    assert_true(encloses(1, 10));
    for (uint64_t i = 1001; i <= 1100; i++)
        add(i * 1000 + (i - 600) * 10, i * 100);
    // It is located better.
    slice_settle(&slice, 600000);
    slice_forget(&slice);
    assert_true(encloses(100, 1010));
    assert_false(encloses(1, 10));

    start();
    for (uint64_t i = 1; i <= 1000; i++)
        add(i * 1000 + (i > 600 ? (i - 600) * 10 : 0), i * 100);
    slice_break(&slice, 300000);
    slice_settle(&slice, 600000);
    assert_true(encloses(1, 10));
    assert_true(slice_enclosure(&slice, &low, &high));
    assert_true(slope_less(early_low, low) && slope_less(high, early_high));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_window_is_enclosed_by_itself),
        cmocka_unit_test(test_a_cut_keeps_what_was_proven),
        cmocka_unit_test(test_a_break_forgets_what_is_in_doubt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
