#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/claim.h"

#define GHZ 1000000000000u // 1 GHz in millihertz: one ppb is 1000 mHz

static struct rate_interval exactly(uint64_t rate)
{
    return (struct rate_interval){rate, rate, rate};
}

static void test_exact(void **state)
{
    struct judgement judgement = claim_judge(GHZ, 0, 0, exactly(GHZ));

    (void)state;
    assert_int_equal(judgement.verdict, VERDICT_OK);
    assert_int_equal(judgement.error_ppb, 0);
    assert_int_equal(judgement.low_ppb, 0);
    assert_int_equal(judgement.high_ppb, 0);
    assert_int_equal(judgement.allowed_ppb, 0);
}

// On each side of the tolerance, at the last millihertz.
static void test_edges(void **state)
{
    static const struct {
        int64_t offset_millihertz;
        int64_t low_ppb, high_ppb, error_ppb;
        enum verdict verdict;
    } edges[] = {
        {50000000, 50000, 50000, 50000, VERDICT_OK},
        {50000001, 50000, 50001, 50000, VERDICT_INCONCLUSIVE}, // less than 1 ppb beyond
        {50000999, 50000, 50001, 50001, VERDICT_INCONCLUSIVE},
        {50001000, 50001, 50001, 50001, VERDICT_OFF},
        {49999999, 49999, 50000, 50000, VERDICT_OK},
        {-50000000, -50000, -50000, -50000, VERDICT_OK},
        {-50000001, -50001, -50000, -50000, VERDICT_INCONCLUSIVE},
        {-50001000, -50001, -50001, -50001, VERDICT_OFF},
        {-49999999, -50000, -49999, -50000, VERDICT_OK},
        {1, 0, 1, 0, VERDICT_OK},
        {-1, -1, 0, 0, VERDICT_OK},
        {500, 0, 1, 1, VERDICT_OK}, // half away from zero
        {-500, -1, 0, -1, VERDICT_OK},
        {499, 0, 1, 0, VERDICT_OK},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(edges); i++) {
        struct judgement judgement =
            claim_judge(GHZ + (uint64_t)edges[i].offset_millihertz, 0, 50000, exactly(GHZ));
        assert_int_equal(judgement.low_ppb, edges[i].low_ppb);
        assert_int_equal(judgement.high_ppb, edges[i].high_ppb);
        assert_int_equal(judgement.error_ppb, edges[i].error_ppb);
        assert_int_equal(judgement.verdict, edges[i].verdict);
        assert_int_equal(judgement.allowed_ppb, 50000);
    }
}

// The verdict holds for every rate in the interval or there is none.
static void test_intervals(void **state)
{
    // +-10 ppm about 1 GHz.
    struct rate_interval measured = {GHZ - 10000000, GHZ + 10000000, GHZ};
    struct judgement judgement;

    (void)state;
    judgement = claim_judge(GHZ, 0, 50000, measured);
    assert_int_equal(judgement.verdict, VERDICT_OK);
    // 1/(1 + 10^-5) - 1 = -9999.9 ppb and 1/(1 - 10^-5) - 1 = 10000.1 ppb, outwards.
    assert_int_equal(judgement.low_ppb, -10000);
    assert_int_equal(judgement.high_ppb, 10001);
    assert_int_equal(judgement.error_ppb, 0);

    assert_int_equal(claim_judge(GHZ, 0, 5000, measured).verdict, VERDICT_INCONCLUSIVE);
    assert_int_equal(claim_judge(GHZ + 45000000, 0, 50000, measured).verdict, VERDICT_INCONCLUSIVE);
    assert_int_equal(claim_judge(GHZ + 39000000, 0, 50000, measured).verdict, VERDICT_OK);
    assert_int_equal(claim_judge(GHZ + 61000000, 0, 50000, measured).verdict, VERDICT_OFF);
    assert_int_equal(claim_judge(GHZ - 61000000, 0, 50000, measured).verdict, VERDICT_OFF);
}

// One kHz at 1 GHz is 1000 ppb more; at 3 GHz 333.3, which counts as 334.
static void test_granularity(void **state)
{
    struct judgement judgement = claim_judge(GHZ + 51000000, 1000000, 50000, exactly(GHZ));

    (void)state;
    assert_int_equal(judgement.allowed_ppb, 51000);
    assert_int_equal(judgement.verdict, VERDICT_OK);
    assert_int_equal(claim_judge(GHZ + 51001000, 1000000, 50000, exactly(GHZ)).verdict,
                     VERDICT_OFF);
    assert_int_equal(
        claim_judge(3 * (uint64_t)GHZ, 1000000, 50000, exactly(3 * (uint64_t)GHZ)).allowed_ppb,
        50334);
    assert_int_equal(claim_judge(GHZ, UINT64_MAX, UINT64_MAX, exactly(1)).allowed_ppb,
                     ERROR_PPB_MAX);
}

static void test_extremes(void **state)
{
    struct judgement judgement = claim_judge(CLAIM_MILLIHERTZ_MAX, 0, 50000, exactly(1));

    (void)state;
    assert_int_equal(judgement.error_ppb, ERROR_PPB_MAX);
    assert_int_equal(judgement.low_ppb, ERROR_PPB_MAX);
    assert_int_equal(judgement.high_ppb, ERROR_PPB_MAX);
    assert_int_equal(judgement.verdict, VERDICT_OFF);

    judgement = claim_judge(UINT64_MAX, 0, 50000, exactly(UINT64_MAX));
    assert_int_equal(judgement.error_ppb, 0);
    assert_int_equal(judgement.verdict, VERDICT_OK);

    judgement = claim_judge(1, 0, 50000, exactly(CLAIM_MILLIHERTZ_MAX));
    assert_int_equal(judgement.low_ppb, -1000000000);
    assert_int_equal(judgement.high_ppb, -999999999);
    assert_int_equal(judgement.verdict, VERDICT_OFF);
}

static void test_nothing_measured(void **state)
{
    static const struct rate_interval nothing[] = {
        {0, GHZ, GHZ}, {0, 0, 0}, {GHZ, GHZ - 1, GHZ}, {GHZ, GHZ, 0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(nothing); i++) {
        struct judgement judgement = claim_judge(GHZ, 0, 50000, nothing[i]);
        assert_int_equal(judgement.verdict, VERDICT_INCONCLUSIVE);
        assert_int_equal(judgement.error_ppb, 0);
        assert_int_equal(judgement.low_ppb, -ERROR_PPB_MAX);
        assert_int_equal(judgement.high_ppb, ERROR_PPB_MAX);
    }
}

static uint64_t random_word(void)
{
    // splitmix64, Steele, Lea and Flood 2014.
    static uint64_t seed = 1;
    uint64_t z = seed += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

// How the exact error of `stated` against `real` compares to `ppb`: -1, 0, 1.
static int compare(uint64_t stated, uint64_t real, int64_t ppb)
{
    int128 left = ((int128)stated - real) * 1000000000, right = (int128)ppb * real;

    return left < right ? -1 : left > right;
}

// Against exact arithmetic: the bounds are the tightest integers that enclose the error, and every
// verdict holds for every rate tried in the interval.
static void test_against_exact_arithmetic(void **state)
{
    unsigned verdicts[3] = {0};

    (void)state;
    for (unsigned i = 0; i < 200000; i++) {
        uint64_t real = 1 + random_word() % (CLAIM_MILLIHERTZ_MAX >> random_word() % 50);
        uint64_t width = random_word() % (real / 1000 + 1) >> random_word() % 30;
        uint64_t offset = random_word() % (real / 4000 + 1) >> random_word() % 20;
        uint64_t stated = random_word() % 2 ? real + offset : real - offset;
        uint64_t tolerance = random_word() % 1000000 >> random_word() % 20;
        uint64_t granularity = random_word() % 2 ? 0 : random_word() % (real / 10000 + 1);
        struct rate_interval measured = {real, real + width, real + width / 2};
        struct judgement judgement = claim_judge(stated, granularity, tolerance, measured);
        int64_t allowed = (int64_t)judgement.allowed_ppb;

        assert_true(compare(stated, measured.high, judgement.low_ppb) >= 0);
        assert_true(compare(stated, measured.high, judgement.low_ppb + 1) < 0);
        assert_true(compare(stated, measured.low, judgement.high_ppb) <= 0);
        assert_true(compare(stated, measured.low, judgement.high_ppb - 1) > 0);
        assert_true(judgement.error_ppb >= judgement.low_ppb);
        assert_true(judgement.error_ppb <= judgement.high_ppb);
        // granularity / estimate, rounded up.
        assert_true((uint128)(allowed - tolerance) * measured.estimate >=
                    (uint128)granularity * 1000000000);
        assert_true(allowed == (int64_t)tolerance ||
                    (uint128)(allowed - tolerance - 1) * measured.estimate <
                        (uint128)granularity * 1000000000);

        bool can_be_ok = false, can_be_off = false;
        for (unsigned j = 0; j <= 8; j++) {
            uint64_t rate = measured.low + width / 8 * j + (j == 8 ? width % 8 : 0);
            bool within =
                compare(stated, rate, -allowed) >= 0 && compare(stated, rate, allowed) <= 0;
            can_be_ok |= within;
            can_be_off |= !within;
        }
        if (judgement.verdict == VERDICT_OK)
            assert_false(can_be_off);
        if (judgement.verdict == VERDICT_OFF)
            assert_false(can_be_ok);
        verdicts[judgement.verdict]++;
    }
    assert_true(verdicts[VERDICT_OK] > 1000 && verdicts[VERDICT_OFF] > 1000 &&
                verdicts[VERDICT_INCONCLUSIVE] > 100);
}

static void test_words(void **state)
{
    (void)state;
    assert_string_equal(claim_clock_word(CLAIM_TSC), "tsc");
    assert_string_equal(claim_clock_word(CLAIM_BUS), "bus");
    assert_string_equal(verdict_word(VERDICT_OK), "ok");
    assert_string_equal(verdict_word(VERDICT_OFF), "off");
    assert_string_equal(verdict_word(VERDICT_INCONCLUSIVE), "inconclusive");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_intervals),
        cmocka_unit_test(test_granularity),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_nothing_measured),
        cmocka_unit_test(test_against_exact_arithmetic),
        cmocka_unit_test(test_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
