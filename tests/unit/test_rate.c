#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/rate.h"
#include "tests/unit/stream.h"

#define GIGAHERTZ 1000000000000u // in millihertz

static struct stream source = {.random = 1};

static uint64_t between(uint64_t low, uint64_t high)
{
    return stream_between(&source, low, high);
}

// A positive number of any length up to `bits`.
static uint64_t any(unsigned bits)
{
    return (stream_random(&source) >> (64 - bits) >> between(0, bits - 1)) + 1;
}

static void test_from_slopes_by_hand(void **state)
{
    (void)state;
    // 100 MHz, 1000 ticks while the TSC counts 30000 to 30001: 3 GHz and a bit.
    static const struct hertz hpet = {1000000000000000u, 10000000};
    struct rate_interval rate =
        rate_from_slopes(hpet, (struct slope){1000, 30001}, (struct slope){1000, 30000});

    assert_int_equal(rate.low, 3000000000000u);
    assert_int_equal(rate.high, 3000100000000u);
    assert_int_equal(rate.estimate, 3000050000000u);
    // 315/88 MHz: no whole number of millihertz, so the ends go outwards.
    static const struct hertz pmtimer = {315000000, 88};
    rate = rate_from_slopes(pmtimer, (struct slope){1, 1}, (struct slope){1, 1});
    assert_int_equal(rate.low, 3579545454);
    assert_int_equal(rate.high, 3579545455);
}

static void test_from_slopes_rounds_outwards_by_less_than_one(void **state)
{
    (void)state;
    for (int i = 0; i < 100000; i++) {
        struct hertz clock = {any(50), any(20)};
        struct slope low = {any(30), any(62)};
        struct slope high = {any(30), any(62)};
        if (slope_less(high, low))
            continue;
        struct rate_interval rate = rate_from_slopes(clock, low, high);
        uint128 scaled = (uint128)clock.numerator * 1000;
        uint128 below = scaled * high.cycles, above = scaled * low.cycles;
        uint128 high_ticks = (uint128)clock.denominator * high.ticks;
        uint128 low_ticks = (uint128)clock.denominator * low.ticks;
        assert_true(rate.low == UINT64_MAX
                        ? below / high_ticks >= UINT64_MAX
                        : rate.low * high_ticks <= below && (rate.low + 1) * high_ticks > below);
        assert_true(rate.high == UINT64_MAX
                        ? above / low_ticks >= UINT64_MAX - 1
                        : rate.high * low_ticks >= above && (rate.high - 1) * low_ticks < above);
        assert_true(rate.low <= rate.estimate && rate.estimate <= rate.high);
    }
}

static void test_from_slopes_at_the_limits(void **state)
{
    (void)state;
    // 10^15 Hz and 2^62 cycles, the largest numerator that can occur: 10^18 * (2^62 - 1) / 2^61.
    static const struct hertz fast = {1000000000000000u, 1};
    const uint64_t top = (1ull << 62) - 1;
    struct rate_interval rate =
        rate_from_slopes(fast, (struct slope){1ull << 61, top}, (struct slope){1ull << 61, top});

    assert_int_equal(rate.low, 1999999999999999999u);
    assert_int_equal(rate.high, 2000000000000000000u);
    rate = rate_from_slopes(fast, (struct slope){1, top}, (struct slope){2, top});
    assert_int_equal(rate.low, UINT64_MAX);
    assert_int_equal(rate.high, UINT64_MAX);
    assert_int_equal(rate.estimate, UINT64_MAX);
}

static void test_crossed_slopes_give_no_negative_width(void **state)
{
    (void)state;
    static const struct hertz clock = {1000, 1};
    struct rate_interval rate = rate_from_slopes(clock, (struct slope){3, 1}, (struct slope){2, 1});

    assert_int_equal(rate.low, 500000);
    assert_int_equal(rate.high, 500000);
    assert_int_equal(rate.estimate, 500000);
}

static void test_of_clock(void **state)
{
    (void)state;
    // A tick in 3 cycles of a TSC of 2.9 to 3.1 GHz.
    struct rate_interval tsc = {2900 * (GIGAHERTZ / 1000), 3100 * (GIGAHERTZ / 1000), 0};
    struct rate_interval rate =
        rate_of_clock((struct slope){1000, 3001}, (struct slope){1001, 3000}, tsc);

    assert_int_equal(rate.low, 966344551816u);   // 2.9 * 1000 / 3001, down
    assert_int_equal(rate.high, 1034366666667u); // 3.1 * 1001 / 3000, up
    assert_int_equal(rate.estimate, (966344551816u + 1034366666667u) / 2);
}

static void test_widen(void **state)
{
    (void)state;
    struct rate_interval rate =
        rate_widen((struct rate_interval){GIGAHERTZ, 2 * GIGAHERTZ, GIGAHERTZ + 5}, 686, 153);

    assert_int_equal(rate.low, GIGAHERTZ - 686000);
    assert_int_equal(rate.high, 2 * GIGAHERTZ + 306000);
    assert_int_equal(rate.estimate, GIGAHERTZ + 5);
    rate = rate_widen((struct rate_interval){1, 1, 1}, 1, 1);
    assert_int_equal(rate.low, 0);
    assert_int_equal(rate.high, 2);
    rate = rate_widen((struct rate_interval){5, UINT64_MAX, 5}, 1000000000, UINT32_MAX);
    assert_int_equal(rate.low, 0);
    assert_int_equal(rate.high, UINT64_MAX);
    rate = rate_widen((struct rate_interval){7, 9, 8}, 0, 0);
    assert_int_equal(rate.low, 7);
    assert_int_equal(rate.high, 9);
}

static void test_half_width(void **state)
{
    (void)state;
    static const struct {
        uint64_t low, high, ppb;
    } cases[] = {
        {0, 0, 0},
        {GIGAHERTZ, GIGAHERTZ, 0},
        {999999000000u, 1000001000000u, 1000},
        {999999999999u, 1000000000001u, 1}, // 0.001, up
        {1, 3, 500000000},
        {0, 5, 1000000000},
        {UINT64_MAX - 1, UINT64_MAX, 1},
        {0, UINT64_MAX, 1000000000},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(
            rate_half_width_ppb((struct rate_interval){cases[i].low, cases[i].high, 0}),
            cases[i].ppb);
}

static void check_half_width(struct slope low, struct slope high)
{
    uint128 upper = (uint128)high.ticks * low.cycles, lower = (uint128)low.ticks * high.cycles;
    long double exact = (long double)(upper - lower) * 1e9L / (long double)(upper + lower);
    long double given = (long double)slope_half_width_ppb(low, high);

    assert_true(given >= exact - 1);
    assert_true(given <= exact * (1 + 0x1p-30L) + 4);
}

static void test_half_width_of_slopes(void **state)
{
    (void)state;
    for (int i = 0; i < 200000; i++) {
        unsigned bits = (unsigned)between(2, 62);
        struct slope low = {any(bits), any(bits)};
        struct slope high = {any(bits), any(bits)};
        // Half the time a narrow one.
        if (i % 2) {
            high = low;
            high.ticks += between(0, high.ticks >> between(0, 40));
        }
        if (!slope_less(high, low))
            check_half_width(low, high);
    }
    assert_int_equal(slope_half_width_ppb((struct slope){0, 0}, (struct slope){3, 4}), UINT64_MAX);
    assert_int_equal(slope_half_width_ppb((struct slope){3, 4}, (struct slope){0, 0}), UINT64_MAX);
}

static void test_millihertz(void **state)
{
    (void)state;
    assert_int_equal(rate_millihertz((struct hertz){105000000, 88}), 1193181818);
    assert_int_equal(rate_millihertz((struct hertz){315000000, 88}), 3579545455);
    assert_int_equal(rate_millihertz((struct hertz){1, 2000}), 1); // a half goes up
    assert_int_equal(rate_millihertz((struct hertz){1, 2001}), 0);
    assert_int_equal(rate_millihertz((struct hertz){0, 1}), 0);
    assert_int_equal(rate_millihertz((struct hertz){1, 0}), 0);
    assert_int_equal(rate_millihertz((struct hertz){UINT64_MAX, 1}), UINT64_MAX);
}

static void test_cycles_ns_ticks(void **state)
{
    (void)state;
    assert_int_equal(rate_cycles_to_ns(2600000001u, 2600 * (GIGAHERTZ / 1000)), 1000000000);
    assert_int_equal(rate_ns_to_cycles(1000000000, 2600 * (GIGAHERTZ / 1000)), 2600000000u);
    assert_int_equal(rate_ns_to_cycles(1, 999), 0);
    assert_int_equal(rate_cycles_to_ns(5, 0), 0);
    assert_int_equal(rate_ns_to_cycles(5, 0), 0);
    assert_int_equal(rate_cycles_to_ns(UINT64_MAX, 1), UINT64_MAX);
    assert_int_equal(rate_ns_to_cycles(UINT64_MAX, UINT64_MAX), UINT64_MAX);
    assert_int_equal(rate_cycles_of_ticks(10, (struct slope){3, 100}), 333);
    assert_int_equal(rate_cycles_of_ticks(UINT64_MAX, (struct slope){1, 2}), UINT64_MAX);
}

// The largest set of intervals with a common point, by trying every set.
static struct vote vote_by_brute_force(const struct rate_interval *intervals, size_t count)
{
    struct vote best = {0};
    unsigned winners = 0;

    for (uint32_t set = 1; set < 1u << count; set++) {
        struct rate_interval together = {0, UINT64_MAX, 0};
        for (size_t i = 0; i < count; i++) {
            if (!(set >> i & 1))
                continue;
            together.low = intervals[i].low > together.low ? intervals[i].low : together.low;
            together.high = intervals[i].high < together.high ? intervals[i].high : together.high;
        }
        unsigned size = (unsigned)__builtin_popcount(set);
        if (together.low > together.high || size < best.agreeing)
            continue;
        winners = size > best.agreeing ? 1 : winners + 1;
        together.estimate = together.low + (together.high - together.low) / 2;
        best = (struct vote){false, together, ~set & ((1u << count) - 1), size};
    }
    best.decided = winners == 1 && 2 * best.agreeing > count;
    return best;
}

static void test_vote_against_brute_force(void **state)
{
    (void)state;
    unsigned decided = 0, odd = 0;

    for (int trial = 0; trial < 30000; trial++) {
        struct rate_interval intervals[7];
        size_t count = (size_t)between(0, ARRAY_SIZE(intervals));
        uint64_t range = between(2, 60);
        for (size_t i = 0; i < count; i++) {
            intervals[i].low = between(0, range);
            intervals[i].high = intervals[i].low + between(0, range / 2);
        }
        struct vote vote = rate_vote(intervals, count);
        struct vote expected = vote_by_brute_force(intervals, count);
        assert_int_equal(vote.decided, expected.decided);
        assert_int_equal(vote.agreeing, expected.agreeing);
        if (!vote.decided)
            continue;
        decided++;
        odd += vote.odd != 0;
        assert_int_equal(vote.odd, expected.odd);
        assert_int_equal(vote.together.low, expected.together.low);
        assert_int_equal(vote.together.high, expected.together.high);
        assert_int_equal(vote.together.estimate, expected.together.estimate);
    }
    assert_true(decided > 5000 && odd > 1000);
}

static void test_votes_by_hand(void **state)
{
    (void)state;
    static const struct rate_interval chain[] = {{0, 10, 0}, {9, 20, 0}, {19, 30, 0}};
    static const struct rate_interval touching[] = {{0, 10, 0}, {10, 20, 0}};
    static const struct rate_interval apart[] = {{0, 10, 0}, {11, 20, 0}};
    static const struct rate_interval odd[] = {{0, 10, 0}, {50, 60, 0}, {8, 20, 0}};

    assert_false(rate_vote(chain, 0).decided);
    // Two of three agree, but it could be either two.
    assert_false(rate_vote(chain, 3).decided);
    assert_true(rate_vote(touching, 2).decided);
    assert_int_equal(rate_vote(touching, 2).together.low, 10);
    assert_int_equal(rate_vote(touching, 2).together.high, 10);
    assert_false(rate_vote(apart, 2).decided);
    assert_true(rate_vote(apart, 1).decided);
    struct vote vote = rate_vote(odd, 3);
    assert_true(vote.decided);
    assert_int_equal(vote.odd, 1u << 1);
    assert_int_equal(vote.agreeing, 2);
    assert_int_equal(vote.together.low, 8);
    assert_int_equal(vote.together.high, 10);
    assert_int_equal(vote.together.estimate, 9);
}

static void test_a_full_vote(void **state)
{
    (void)state;
    struct rate_interval intervals[VOTE_MAX];

    // Half and one agree; the common part is the last one's low to the first one's high.
    for (size_t i = 0; i < VOTE_MAX; i++)
        intervals[i] = i <= VOTE_MAX / 2 ? (struct rate_interval){i, 100 + i, 0}
                                         : (struct rate_interval){1000 * i, 1000 * i + 1, 0};
    struct vote vote = rate_vote(intervals, VOTE_MAX);
    assert_true(vote.decided);
    assert_int_equal(vote.agreeing, VOTE_MAX / 2 + 1);
    assert_int_equal(vote.odd, 0xfe00);
    assert_int_equal(vote.together.low, VOTE_MAX / 2);
    assert_int_equal(vote.together.high, 100);
    intervals[0] = (struct rate_interval){500, 501, 0};
    assert_false(rate_vote(intervals, VOTE_MAX).decided);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_slopes_by_hand),
        cmocka_unit_test(test_from_slopes_rounds_outwards_by_less_than_one),
        cmocka_unit_test(test_from_slopes_at_the_limits),
        cmocka_unit_test(test_crossed_slopes_give_no_negative_width),
        cmocka_unit_test(test_of_clock),
        cmocka_unit_test(test_widen),
        cmocka_unit_test(test_half_width),
        cmocka_unit_test(test_half_width_of_slopes),
        cmocka_unit_test(test_millihertz),
        cmocka_unit_test(test_cycles_ns_ticks),
        cmocka_unit_test(test_vote_against_brute_force),
        cmocka_unit_test(test_votes_by_hand),
        cmocka_unit_test(test_a_full_vote),
    };

    return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
