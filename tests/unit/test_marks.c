#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "lib/marks.h"

// Readings of a clock that counts a tick every `slope` cycles at first, and whose TSC runs `ppm`
// faster in the second half. Brackets are 1000 cycles wide, sampled at any place in them.
static struct marks stream(size_t count, uint64_t per_tick, int64_t ppm)
{
    struct marks marks;
    uint64_t random = 1;

    marks_reset(&marks);
    for (size_t i = 0; i < count; i++) {
        uint64_t ticks = 1000000 * i;
        uint64_t cycles = 1000000 + ticks * per_tick;
        if (i > count / 2)
            cycles += (uint64_t)((int64_t)(ticks - 1000000 * (count / 2)) * (int64_t)per_tick *
                                 ppm / 1000000);
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint64_t early = random >> 33 & 511;
        marks_add(&marks, &(struct sample){cycles - early, cycles - early + 1000, ticks});
    }
    return marks;
}

static void test_memory_is_constant_and_even(void **state)
{
    (void)state;
    for (size_t count = 1; count < 1000; count++) {
        struct marks marks = stream(count, 10, 0);
        assert_in_range(marks.count, count < MARKS_MAX ? count : MARKS_MAX / 2, MARKS_MAX);
        for (size_t i = 0; i < marks.count; i++)
            assert_int_equal(marks.kept[i].ticks, 1000000 * marks.stride * i);
        assert_int_equal(marks.last.ticks, 1000000 * (count - 1));
    }
}

static void test_the_drift_is_enclosed(void **state)
{
    static const int64_t ppms[] = {0, 1, -1, 100, -100, 100000};

    (void)state;
    for (size_t i = 0; i < sizeof(ppms) / sizeof(ppms[0]); i++) {
        for (size_t count = 64; count <= 4096; count *= 4) {
            struct marks marks = stream(count, 3, ppms[i]);
            struct drift drift;
            assert_true(marks_drift(&marks, 1, &drift));
            // The TSC's rate in the second half is 1 + ppm of that in the first; the middle is met
            // to a mark.
            int64_t truth = ppms[i] * 1000000, slack = (truth < 0 ? -truth : truth) / 8;
            assert_true(drift.low_ppt <= truth + slack && truth - slack <= drift.high_ppt);
            // 1000 cycles at either end of either half.
            int64_t width = (int64_t)(4ull * 1003 * 1000000 / (3 * (count / 2))) * 5 / 4 + 4;
            assert_true(drift.high_ppt - drift.low_ppt < width + slack);
        }
    }
}

// What ends later is as if it had never been added; the rest tells what it told before.
static void test_a_cut(void **state)
{
    (void)state;
    for (size_t count = 1; count < 300; count += 7) {
        struct marks whole = stream(count, 10, 0), marks = whole;
        marks_cut(&marks, UINT64_MAX);
        assert_int_equal(marks.count, whole.count);
        assert_int_equal(marks.last.ticks, whole.last.ticks);
        uint64_t until = whole.kept[whole.count / 2].after;
        marks_cut(&marks, until);
        assert_int_equal(marks.count, whole.count / 2 + 1);
        assert_true(marks.last.after <= until || marks.count == whole.count);
        marks_cut(&marks, 0);
        assert_int_equal(marks.count, 0);
    }
}

static void test_too_little(void **state)
{
    struct drift drift;

    (void)state;
    struct marks marks = stream(2, 10, 0);
    assert_false(marks_drift(&marks, 1, &drift));
    // All at one time.
    marks_reset(&marks);
    for (unsigned i = 0; i < 5; i++)
        marks_add(&marks, &(struct sample){1000, 2000, 7});
    assert_false(marks_drift(&marks, 1, &drift));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_constant_and_even),
        cmocka_unit_test(test_the_drift_is_enclosed),
        cmocka_unit_test(test_a_cut),
        cmocka_unit_test(test_too_little),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
