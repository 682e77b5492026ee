#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/compare.h"

static struct comparison compare(uint64_t a, uint64_t a_step, uint64_t b, uint64_t b_step)
{
    struct claim first = {.present = true, .millihertz = a, .granularity_millihertz = a_step};
    struct claim second = {.present = true, .millihertz = b, .granularity_millihertz = b_step};

    return claim_compare(&first, &second);
}

static void test_agreement(void **state)
{
    (void)state;
    // The leaf in kHz and pvclock, as measured under KVM.
    struct comparison got = compare(2596130000778, 785, 2596130000000, 1000000);
    assert_true(got.agree);
    assert_int_equal(got.difference_ppb, 0); // 0.3
    assert_int_equal(got.granularity_ppb, 386);
    // Just at the granularity of both, and just beyond it.
    assert_true(compare(1000000000000, 300, 1000000000500, 200).agree);
    assert_false(compare(1000000000000, 300, 1000000000501, 200).agree);
    assert_true(compare(1000000000500, 300, 1000000000000, 200).agree);
    assert_false(compare(1000000000501, 300, 1000000000000, 200).agree);
    assert_true(compare(7, 0, 7, 0).agree);
}

static void test_differences(void **state)
{
    (void)state;
    assert_int_equal(compare(1000000050000, 1, 1000000000000, 1).difference_ppb, 50);
    assert_int_equal(compare(999999950000, 1, 1000000000000, 1).difference_ppb, -50);
    assert_int_equal(compare(1000000000500, 1, 1000000000000, 1).difference_ppb, 1); // 0.5
    assert_int_equal(compare(1000000000499, 1, 1000000000000, 1).difference_ppb, 0);
    assert_int_equal(compare(2800000000000, 1, 1000000000000, 1).difference_ppb, 1800000000);
    assert_int_equal(compare(CLAIM_MILLIHERTZ_MAX, 0, 1, 0).difference_ppb, ERROR_PPB_MAX);
    assert_int_equal(compare(1, 0, CLAIM_MILLIHERTZ_MAX, 0).difference_ppb, -1000000000);
    assert_int_equal(compare(1, UINT64_MAX / 2, 1, 0).granularity_ppb, ERROR_PPB_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agreement),
        cmocka_unit_test(test_differences),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
