#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/skew.h"

static uint64_t seed = 1;

static uint64_t random_below(uint64_t limit)
{
    // splitmix64, Steele, Lea and Flood 2014.
    uint64_t z = seed += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % limit;
}

// A pair of TSCs: the other one reads offset + ours * (10^9 + ppb) / 10^9.
struct pair {
    uint64_t now;
    int64_t offset, ppb;
    uint64_t there, back, jitter; // least cycles of the ways, and how much more there may be
};

static uint64_t remote_at(const struct pair *pair, uint64_t now)
{
    return now + (uint64_t)pair->offset + (uint64_t)((int128)now * pair->ppb / 1000000000);
}

static void exchange(struct pair *pair, struct skew *skew)
{
    uint64_t before = pair->now;
    uint64_t sample = before + pair->there + (pair->jitter ? random_below(pair->jitter) : 0);
    uint64_t after = sample + pair->back + (pair->jitter ? random_below(pair->jitter) : 0);

    skew_add(skew, before, remote_at(pair, sample), after);
    pair->now = after + 100;
}

static struct skew block(struct pair *pair, unsigned count)
{
    struct skew skew;

    skew_start(&skew);
    for (unsigned i = 0; i < count; i++)
        exchange(pair, &skew);
    return skew;
}

static void test_one_exchange(void **state)
{
    (void)state;
    struct skew skew;

    skew_start(&skew);
    assert_int_equal(skew.exchanges, 0);
    skew_add(&skew, 1000, 1500, 1200);
    assert_int_equal(skew.low.cycles, 300);
    assert_int_equal(skew.high.cycles, 500);
    assert_int_equal(skew.narrowest, 200);
    skew_add(&skew, 2000, 1, 1999); // went backwards
    assert_int_equal(skew.exchanges, 1);
    assert_int_equal(skew.low.cycles, 300);
}

static void test_the_truth_is_always_inside(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        int64_t offset = (int64_t)random_below(2000001) - 1000000;
        struct pair pair = {
            random_below(UINT64_MAX), offset, 0, random_below(500), random_below(500),
            random_below(10000)};
        struct skew skew = block(&pair, 1 + (unsigned)random_below(100));
        assert_true(skew.low.cycles <= offset && offset <= skew.high.cycles);
    }
}

// Nothing narrower can be proven: either way may have taken its whole time.
static void test_as_wide_as_the_ways(void **state)
{
    (void)state;
    struct pair pair = {1u << 20, -70000, 0, 300, 200, 0};
    struct skew skew = block(&pair, 10);

    assert_int_equal(skew.low.cycles, -70000 - 200);
    assert_int_equal(skew.high.cycles, -70000 + 300);
    pair.jitter = 1000;
    skew = block(&pair, 5000);
    assert_true(skew.high.cycles - skew.low.cycles >= 500);
    assert_true(skew.high.cycles - skew.low.cycles <= 510);
}

static void test_blocks_together(void **state)
{
    (void)state;
    struct pair pair = {1u << 20, 5000, 0, 300, 800, 0};
    struct skew first = block(&pair, 10);
    pair.there = 900;
    pair.back = 100;
    struct skew second = block(&pair, 10);
    struct skew_offset offset = skew_join(&first, &second);

    assert_true(offset.constant);
    assert_int_equal(offset.low, 4900);
    assert_int_equal(offset.high, 5300);

    // A step as long as the first's way there and the second's way back need not be seen, a longer
    // one must be.
    pair.offset += 400;
    struct skew stepped = block(&pair, 10);
    assert_true(skew_join(&first, &stepped).constant);
    pair.offset += 1;
    stepped = block(&pair, 10);
    offset = skew_join(&first, &stepped);
    assert_false(offset.constant);
    assert_true(offset.low <= 5401 && 5401 <= offset.high);
}

static void test_a_step_inside_a_block(void **state)
{
    (void)state;
    struct pair pair = {1u << 20, 0, 0, 10, 10, 0};
    struct skew first = block(&pair, 10), second = block(&pair, 10);

    pair.offset = 100000;
    for (unsigned i = 0; i < 10; i++)
        exchange(&pair, &second);
    assert_true(second.low.cycles > second.high.cycles);
    struct skew_offset offset = skew_join(&first, &second);
    assert_false(offset.constant);
    assert_int_equal(offset.low, 10);
    assert_int_equal(offset.high, 100000 - 10);
}

static void test_rates_enclose_the_truth(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        int64_t ppb = (int64_t)random_below(2000001) - 1000000, low, high;
        struct pair pair = {random_below(1ull << 40),
                            (int64_t)random_below(1000000),
                            ppb,
                            random_below(500),
                            random_below(500),
                            5000};
        struct skew first = block(&pair, 20);
        pair.now += 1000000 + random_below(1ull << 33);
        struct skew second = block(&pair, 20);
        assert_true(skew_rate(&first, &second, &low, &high));
        assert_true(low <= ppb && ppb <= high);
    }
}

// The provable threshold of a rate: both ways over the time between the blocks.
static void test_the_threshold_of_a_rate(void **state)
{
    (void)state;
    const int64_t threshold = 1000; // ppb: 1000 cycles in 10^9
    int64_t low, high;

    for (int sign = -1; sign <= 1; sign += 2) {
        for (unsigned percent = 95; percent <= 105; percent += 10) {
            struct pair pair = {0, 0, sign * threshold * percent / 100, 600, 400, 0};
            struct skew first = block(&pair, 2);
            pair.now += 1000000000;
            struct skew second = block(&pair, 2);
            assert_true(skew_rate(&first, &second, &low, &high));
            assert_int_equal(low > 0 || high<0, percent> 100);
            assert_int_equal(!skew_join(&first, &second).constant, percent > 100);
        }
    }
}

static void test_rates_that_cannot_be_told(void **state)
{
    (void)state;
    struct pair pair = {0, 0, 0, 10, 10, 0};
    struct skew none, some = block(&pair, 5);
    int64_t low, high;

    skew_start(&none);
    assert_false(skew_rate(&none, &some, &low, &high));
    assert_false(skew_rate(&some, &none, &low, &high));
    assert_false(skew_rate(&some, &some, &low, &high));
}

// The rate itself changes: what the end of the first block and the beginning of the second prove
// contradicts what their other ends do.
static void test_no_constant_rate(void **state)
{
    (void)state;
    struct skew first, second;
    int64_t low, high;

    for (int change = 0; change <= 1; change++) {
        skew_start(&first);
        skew_start(&second);
        // Offset 0 +-10 at 1000, and 2000 more at 3000.
        skew_add(&first, 990, 1000, 1010);
        skew_add(&second, 2990, 5000, 3010);
        assert_true(skew_rate(&first, &second, &low, &high));
        assert_true(low <= 1000000000 && high >= 1000000000);
        // Soon after that it is 0 again.
        skew_add(&second, 3090, change ? 3100 : 5200, 3110);
        assert_int_equal(skew_rate(&first, &second, &low, &high), !change);
        assert_false(skew_join(&first, &second).constant);
    }
}

static void test_verdicts(void **state)
{
    (void)state;
    static const struct {
        int64_t low, high;
        uint64_t limit;
        enum verdict verdict;
    } cases[] = {
        {0, 0, 0, VERDICT_OK},
        {-100, 100, 100, VERDICT_OK},
        {-100, 101, 100, VERDICT_INCONCLUSIVE},
        {-101, 100, 100, VERDICT_INCONCLUSIVE},
        {100, 300, 100, VERDICT_INCONCLUSIVE}, // 100 is allowed
        {101, 300, 100, VERDICT_OFF},
        {-300, -101, 100, VERDICT_OFF},
        {-300, -100, 100, VERDICT_INCONCLUSIVE},
        {-300, 300, 100, VERDICT_INCONCLUSIVE},
        {0, 1, 0, VERDICT_INCONCLUSIVE},
        {INT64_MIN, INT64_MAX, UINT64_MAX, VERDICT_OK},
        {INT64_MIN, INT64_MIN, INT64_MAX, VERDICT_OFF},
        {INT64_MIN, INT64_MAX, 5, VERDICT_INCONCLUSIVE},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(skew_judge(cases[i].low, cases[i].high, cases[i].limit), cases[i].verdict);
}

static void test_nanoseconds_are_rounded_outwards(void **state)
{
    (void)state;
    const uint64_t three_ghz = 3000000000000u;

    assert_int_equal(skew_ns(0, three_ghz), 0);
    assert_int_equal(skew_ns(7, three_ghz), 2);
    assert_int_equal(skew_ns_up(7, three_ghz), 3);
    assert_int_equal(skew_ns(-7, three_ghz), -3);
    assert_int_equal(skew_ns_up(-7, three_ghz), -2);
    assert_int_equal(skew_ns(9, three_ghz), 3);
    assert_int_equal(skew_ns_up(-9, three_ghz), -3);
    assert_int_equal(skew_ns(INT64_MIN, 1), -1000000000000000000);
    assert_int_equal(skew_ns_up(INT64_MAX, 1), 1000000000000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_exchange),
        cmocka_unit_test(test_the_truth_is_always_inside),
        cmocka_unit_test(test_as_wide_as_the_ways),
        cmocka_unit_test(test_blocks_together),
        cmocka_unit_test(test_a_step_inside_a_block),
        cmocka_unit_test(test_rates_enclose_the_truth),
        cmocka_unit_test(test_the_threshold_of_a_rate),
        cmocka_unit_test(test_rates_that_cannot_be_told),
        cmocka_unit_test(test_no_constant_rate),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_nanoseconds_are_rounded_outwards),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
