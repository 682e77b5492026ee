#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/oddity.h"

#define MHZ       1000000000ull
#define TOLERANCE 50000

// A claim of `source` that is off by `ppb`, measured to within +-1 ppb and +-`half_ppb`.
static enum deviation classify(const char *source, int64_t ppb, int64_t half_ppb, uint64_t step)
{
    uint64_t rate = 1000000000000ull; // 1 GHz: a ppb is a hertz
    struct claim claim = {.source = source, .present = true, .granularity_millihertz = step};
    struct rate_interval measured = {rate - (uint64_t)half_ppb * 1000,
                                     rate + (uint64_t)half_ppb * 1000, rate};
    struct judgement judgement =
        claim_judge((uint64_t)((int64_t)rate + ppb * 1000), step, TOLERANCE, measured);

    return deviation_of(&claim, &judgement, TOLERANCE);
}

static void test_by_size(void **state)
{
    (void)state;
    static const struct {
        int64_t ppb;
        enum deviation deviation, of_leaf_15;
    } cases[] = {
        {0, DEVIATION_PLAIN, DEVIATION_PLAIN},
        {950, DEVIATION_PLAIN, DEVIATION_PLAIN},
        {1050, DEVIATION_HOST, DEVIATION_HOST},
        {-950, DEVIATION_PLAIN, DEVIATION_PLAIN},
        {-1050, DEVIATION_HOST, DEVIATION_HOST},
        {475000, DEVIATION_HOST, DEVIATION_HOST},
        {-475000, DEVIATION_HOST, DEVIATION_HOST},
        {525000, DEVIATION_PLAIN, DEVIATION_SPREAD},
        {-525000, DEVIATION_PLAIN, DEVIATION_PLAIN},
        {4750000, DEVIATION_PLAIN, DEVIATION_SPREAD},
        {5250000, DEVIATION_PLAIN, DEVIATION_PLAIN},
        {9500000, DEVIATION_PLAIN, DEVIATION_PLAIN},
        {10500000, DEVIATION_FOREIGN, DEVIATION_FOREIGN},
        {-9500000, DEVIATION_PLAIN, DEVIATION_PLAIN},
        {-10500000, DEVIATION_FOREIGN, DEVIATION_FOREIGN},
        {-900000000, DEVIATION_FOREIGN, DEVIATION_FOREIGN},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(classify("pvclock", cases[i].ppb, 1, 0), cases[i].deviation);
        assert_int_equal(classify("leaf-0x15", cases[i].ppb, 1, 0), cases[i].of_leaf_15);
    }
}

// A rate that is known to the ppb: the ends themselves, and the first ppb beyond them.
static void test_ends(void **state)
{
    (void)state;
    static const struct {
        int64_t ppb;
        enum deviation deviation, of_leaf_15;
    } cases[] = {
        {999, DEVIATION_PLAIN, DEVIATION_PLAIN},
        {1000, DEVIATION_HOST, DEVIATION_HOST},
        {500000, DEVIATION_HOST, DEVIATION_HOST},
        {500001, DEVIATION_PLAIN, DEVIATION_SPREAD},
        {5000000, DEVIATION_PLAIN, DEVIATION_SPREAD},
        {5000001, DEVIATION_PLAIN, DEVIATION_PLAIN},
        {10000000, DEVIATION_PLAIN, DEVIATION_PLAIN},
        {10000001, DEVIATION_FOREIGN, DEVIATION_FOREIGN},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(classify("pvclock", cases[i].ppb, 0, 0), cases[i].deviation);
        assert_int_equal(classify("leaf-0x15", cases[i].ppb, 0, 0), cases[i].of_leaf_15);
        // Spread spectrum makes a TSC slow, never fast.
        enum deviation below = cases[i].deviation;
        assert_int_equal(classify("pvclock", -cases[i].ppb, 0, 0), below);
        assert_int_equal(classify("leaf-0x15", -cases[i].ppb, 0, 0), below);
    }
}

// What is not proven, or may be the rounding of the source, is not told.
static void test_beyond_doubt_and_rounding(void **state)
{
    (void)state;
    assert_int_equal(classify("pvclock", 1900, 1000, 0), DEVIATION_PLAIN);
    assert_int_equal(classify("pvclock", 2100, 1000, 0), DEVIATION_HOST);
    assert_int_equal(classify("pvclock", 1900, 1, 1000000), DEVIATION_PLAIN); // of 1 kHz
    assert_int_equal(classify("pvclock", 2100, 1, 1000000), DEVIATION_HOST);
    assert_int_equal(classify("pvclock", 499500, 1000, 0), DEVIATION_PLAIN);
    assert_int_equal(classify("leaf-0x15", 501000, 2000, 0), DEVIATION_PLAIN);
    assert_int_equal(classify("leaf-0x16", 10500000, 1, 1 * MHZ), DEVIATION_PLAIN);
    assert_int_equal(classify("leaf-0x16", 11500000, 1, 1 * MHZ), DEVIATION_FOREIGN);
    // Nothing was measured.
    struct claim claim = {.source = "pvclock"};
    struct judgement judgement = claim_judge(MHZ, 0, TOLERANCE, (struct rate_interval){0});
    assert_int_equal(deviation_of(&claim, &judgement, TOLERANCE), DEVIATION_PLAIN);
    // As measure_judge says it.
    judgement = (struct judgement){.verdict = VERDICT_INCONCLUSIVE};
    assert_int_equal(deviation_of(&claim, &judgement, TOLERANCE), DEVIATION_PLAIN);
}

static void expect_quotient(uint64_t stated, uint64_t measured, unsigned over, unsigned under)
{
    unsigned a = 0, b = 0;

    assert_int_equal(simple_quotient(stated, measured, &a, &b), over != 0);
    assert_int_equal(a, over);
    assert_int_equal(b, under);
}

static void test_quotients(void **state)
{
    (void)state;
    expect_quotient(2200 * MHZ, 785714286ull * 1000, 14, 5); // 2.8, as on one cloud
    expect_quotient(2000 * MHZ, 1000 * MHZ, 2, 1);
    expect_quotient(1000 * MHZ, 2000 * MHZ, 1, 2);
    expect_quotient(1000 * MHZ, 20000 * MHZ, 1, 20);
    expect_quotient(1000 * MHZ, 21000 * MHZ, 0, 0);
    expect_quotient(20000 * MHZ, 1000 * MHZ, 20, 1);
    expect_quotient(21000 * MHZ, 1000 * MHZ, 0, 0);
    expect_quotient(2000ull * 1000047500, 1000ull * 1000000000, 2, 1); // 0.95 * 50 ppm
    expect_quotient(2000ull * 1000052500, 1000ull * 1000000000, 0, 0);
    expect_quotient(0, MHZ, 0, 0);
    expect_quotient(MHZ, 0, 0, 0);
    expect_quotient(CLAIM_MILLIHERTZ_MAX, CLAIM_MILLIHERTZ_MAX, 1, 1);
    expect_quotient(UINT64_MAX, UINT64_MAX, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_size),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_beyond_doubt_and_rounding),
        cmocka_unit_test(test_quotients),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
