#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/track.h"
#include "tests/unit/stream.h"

#define NO_LIMIT   UINT64_MAX
#define MODULUS_32 (1ull << 32)

static struct track track;

static void reset(uint64_t modulus, uint64_t step, uint64_t gap_limit_cycles, uint64_t tsc_step)
{
    const struct track_config config = {modulus, step, gap_limit_cycles, tsc_step};

    track_reset(&track, &config);
}

static enum track_event add(uint64_t before, uint64_t after, uint64_t raw)
{
    return track_add(&track, &(struct reading){before, after, raw}, NULL);
}

static enum track_event take(struct track *of, struct stream_reading reading)
{
    return track_add(
        of, &(struct reading){reading.before, reading.after, reading.count % of->config.modulus},
        NULL);
}

static bool encloses(const struct track *of, struct slope truth)
{
    struct slope low, high;

    return !track_enclosure(of, &low, &high) || slope_within(truth, low, high);
}

// Cycles that the clock of a stream needs for `ticks`, rounded down.
static uint64_t cycles_for(const struct stream *stream, uint64_t ticks)
{
    struct slope p = stream_truth(stream);

    return (uint64_t)((uint128)ticks * p.cycles / p.ticks);
}

static void test_wraps_are_counted(void **state)
{
    (void)state;
    struct slope low, high;

    // 10 cycles a tick, modulus 100: every second reading wraps.
    reset(100, 1, 900, 1);
    for (uint64_t i = 0; i < 50; i++)
        assert_int_equal(add(i * 600, i * 600 + 20, i * 60 % 100), TRACK_OK);
    assert_int_equal(track.segments, 1);
    assert_int_equal(track.samples, 50);
    assert_int_equal(track.ticks, 49 * 60);
    assert_true(track_enclosure(&track, &low, &high));
    // The TSC's own step belongs to the bracket: 21 cycles.
    assert_int_equal(track.widths.minimum, 21);
    assert_int_equal(low.ticks, 49 * 60 - 1);
    assert_int_equal(low.cycles, 49 * 600 + 21);
    assert_int_equal(high.ticks, 49 * 60 + 1);
    assert_int_equal(high.cycles, 49 * 600 - 21);
}

static void test_a_gap_opens_a_segment(void **state)
{
    (void)state;
    struct slope low, high;

    reset(100, 1, 900, 1);
    assert_int_equal(add(0, 20, 10), TRACK_OK);
    assert_int_equal(add(600, 620, 70), TRACK_OK);
    // From 600 to 1499 + the TSC's step are 900 cycles, and not a gap; one more is.
    assert_int_equal(add(1490, 1499, 59), TRACK_OK);
    assert_int_equal(add(2380, 2390, 48), TRACK_GAP);
    assert_int_equal(track.segments, 2);
    // What the first segment proved holds: at most 150 ticks from 20 to 1490.
    assert_true(track_enclosure(&track, &low, &high));
    assert_int_equal(high.ticks, 150);
    assert_int_equal(high.cycles, 1490 - 21);
    assert_int_equal(track_wants_whole(&track, 2400), true);
}

// The device was read at once, but the stall that followed lasted longer than its range: the time
// that passed between two readings begins with the first one's bracket.
static void test_a_stall_inside_a_bracket_is_a_gap(void **state)
{
    (void)state;
    reset(100, 1, 900, 1);
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(add(i * 600, i * 600 + 20, i * 60 % 100), TRACK_OK);
    assert_int_equal(add(6000, 16010, 0), TRACK_GAP);
    assert_int_equal(add(16020, 16040, 1602 % 100), TRACK_GAP);
    assert_int_equal(add(16620, 16640, 1662 % 100), TRACK_OK);
}

static void test_a_whole_count_bridges_a_gap(void **state)
{
    (void)state;
    uint64_t whole;

    reset(100, 1, 900, 1);
    assert_true(track_wants_whole(&track, 20));
    // The whole count is read a little later than the reading, and may have wrapped by then.
    whole = 5101;
    assert_int_equal(track_add(&track, &(struct reading){0, 20, 98}, &whole), TRACK_OK);
    assert_int_equal(track.whole, 5098);
    assert_false(track_wants_whole(&track, 620));
    assert_int_equal(add(600, 620, 58), TRACK_OK);
    assert_int_equal(track.whole, 5158);
    assert_false(track_wants_whole(&track, 1499));
    assert_true(track_wants_whole(&track, 1500));
    // 100000 cycles are 10000 ticks; 21 more pass until the whole count is read.
    whole = 15158 + 21;
    assert_int_equal(track_add(&track, &(struct reading){100600, 100620, 58}, &whole), TRACK_OK);
    assert_int_equal(track.segments, 1);
    assert_int_equal(track.ticks, 10060);
    assert_int_equal(track.whole, 15158);
    // A whole count that went back is no bridge.
    whole = 15158 - 1000;
    assert_int_equal(track_add(&track, &(struct reading){200600, 200620, 58}, &whole), TRACK_GAP);
    assert_int_equal(track.segments, 2);
    assert_int_equal(track.whole, 14158);
    // Nor is one of which the beginning is not known.
    assert_int_equal(add(300600, 300620, 58), TRACK_GAP);
    whole = 45200;
    assert_int_equal(track_add(&track, &(struct reading){400600, 400620, 58}, &whole), TRACK_GAP);
}

static void test_a_restart_closes_the_segment(void **state)
{
    (void)state;
    struct slope low, high, old_low, old_high;

    reset(100, 1, NO_LIMIT, 1);
    assert_false(track_enclosure(&track, &low, &high));
    assert_int_equal(add(0, 20, 0), TRACK_OK);
    assert_int_equal(add(600, 620, 60), TRACK_OK);
    assert_true(track_enclosure(&track, &old_low, &old_high));
    track_close(&track);
    // The count began again: no step, and the old enclosure stays.
    assert_int_equal(add(700, 720, 0), TRACK_OK);
    assert_int_equal(add(800, 820, 10), TRACK_OK);
    assert_int_equal(track.segments, 2);
    assert_int_equal(track.ticks, 10);
    assert_true(track_enclosure(&track, &low, &high));
    assert_false(slope_less(low, old_low) || slope_less(old_high, high));
    track_close(&track);
    track_close(&track);
    assert_true(track_enclosure(&track, &low, &high));
}

static void test_a_break_by_hand(void **state)
{
    (void)state;
    struct slope low, high;
    int64_t least, most;
    uint64_t after;

    // 10 cycles a tick, read every 100 cycles in 10; after 200 readings the count jumps by 7.
    reset(MODULUS_32, 1, NO_LIMIT, 1);
    for (uint64_t i = 0; i < 200; i++)
        assert_int_equal(add(i * 100, i * 100 + 10, i * 10), TRACK_OK);
    assert_int_equal(track.defect_millitick, 0);
    assert_int_equal(add(20000, 20010, 2007), TRACK_BROKEN);
    // 7 ticks up, less the tick and the bracket that would hide it, less what tilting the line
    // gains.
    assert_in_range(track.defect_millitick, 1000, 4900);
    // The last two readings alone fit a steep line.
    track_locate(&track, &after);
    assert_int_equal(after, 19800);
    track_break(&track, after);
    // Held is what was known after 192 readings, at the last checkpoint before: 191 * 10 ticks.
    assert_true(track_enclosure(&track, &low, &high));
    assert_int_equal(low.ticks, 1910 - 1);
    assert_int_equal(low.cycles, 19100 + 11);
    assert_int_equal(high.ticks, 1910 + 1);
    assert_int_equal(high.cycles, 19100 - 11);
    assert_false(track_offset(&track, after, 20010, low, high, &least, &most));
    for (uint64_t i = 201; i < 300; i++)
        assert_int_equal(add(i * 100, i * 100 + 10, i * 10 + 7), TRACK_OK);
    assert_int_equal(track.segments, 2);
    // By now the slope after the jump is known.
    track_locate_again(&track, &after);
    assert_int_equal(after, 19900);
    assert_true(track_offset(&track, after, 20010, low, high, &least, &most));
    // 7 ticks, give or take a tick and a bracket of 1.1 ticks, and a little for the slope.
    assert_in_range(least, 4700, 4900);
    assert_in_range(most, 9100, 9300);
    track_break(&track, 30000);
    track_break(&track, 30000);
    assert_true(encloses(&track, (struct slope){1, 10}));
}

// With one sample a side every rounding shows: at slope 1/3, 100 cycles are 33333.3 thousandths of
// a tick and 110 cycles 36666.7, and all bounds go outwards.
static void test_offsets_are_rounded_outwards(void **state)
{
    (void)state;
    const struct slope p = {1, 3};
    int64_t least, most;

    reset(MODULUS_32, 1, NO_LIMIT, 1);
    assert_int_equal(add(0, 9, 0), TRACK_OK);
    track_break(&track, 0);
    assert_int_equal(add(210, 219, 70), TRACK_OK);
    assert_true(track_offset(&track, 110, 120, p, p, &least, &most));
    assert_int_equal(least, (70000 - 36667) - (1000 + 36667));
    assert_int_equal(most, (71000 - 33333) - 33333);
    // A sample that begins at the very end of the break may be part of it; so may one that ends in
    // it.
    assert_true(track_offset(&track, 10, 209, p, p, &least, &most));
    assert_false(track_offset(&track, 10, 210, p, p, &least, &most));
    assert_false(track_offset(&track, 9, 209, p, p, &least, &most));
    // Bounds that get out of range say nothing.
    assert_false(track_offset(&track, 10, 209, p, (struct slope){1ull << 60, 1}, &least, &most));
}

// A count that jumps back is unwrapped as one that went round.
static void test_a_jump_back_is_negative(void **state)
{
    (void)state;
    const struct slope p = {1, 10};
    int64_t least, most;
    uint64_t after;

    reset(65535, 1, 300000, 1);
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(add(i * 1000, i * 1000 + 10, i * 100), TRACK_OK);
    assert_int_equal(add(100000, 100010, 10000 - 500), TRACK_BROKEN);
    track_locate(&track, &after);
    assert_int_equal(after, 98000);
    track_break(&track, after);
    for (uint64_t i = 101; i < 150; i++)
        assert_int_equal(add(i * 1000, i * 1000 + 10, i * 100 - 500), TRACK_OK);
    assert_true(track_offset(&track, after, 100010, p, p, &least, &most));
    assert_true(least <= -500 * 1000 && most >= -500 * 1000);
    assert_true(most - least < 5000);
}

static void test_much_of_a_long_segment_survives_a_break(void **state)
{
    (void)state;
    struct slope low, high;
    uint64_t after;

    reset(MODULUS_32, 1, NO_LIMIT, 1);
    for (uint64_t i = 0; i < 40000; i++)
        assert_int_equal(add(i * 100, i * 100 + 10, i * 10), TRACK_OK);
    assert_int_equal(add(4000000, 4000010, 400050), TRACK_BROKEN);
    track_locate(&track, &after);
    track_break(&track, after);
    // A checkpoint at least every 128th part of the segment, and at most every 64th.
    assert_true(track_enclosure(&track, &low, &high));
    assert_in_range(low.cycles, 4000000 / 64 * 63, 4000000);
    assert_in_range(high.cycles, 4000000 / 64 * 63, 4000000);
    // So also if another clock tells of an earlier break.
    track_break(&track, 1000000);
    assert_true(track_enclosure(&track, &low, &high));
    assert_in_range(low.cycles, 1000000 - 4000000 / 64, 1000000);
    track_break(&track, 6399);
    assert_false(track_enclosure(&track, &low, &high));
    assert_true(encloses(&track, (struct slope){1, 10}));
}

// Counters of few bits: wraps are counted, gaps cut, and the enclosure holds the truth all along.
static void test_linear_streams_never_break(void **state)
{
    (void)state;
    size_t bounded = 0, gaps = 0, wraps = 0;

    for (uint64_t seed = 1; seed <= 3000; seed++) {
        struct stream stream = stream_make(seed);
        uint64_t modulus = stream_between(&stream, 2 * stream.coarse, 1 << 20);
        size_t samples = stream_between(&stream, 2, 400);
        uint64_t last = 0;
        reset(modulus, stream.coarse, cycles_for(&stream, modulus - stream.coarse),
              stream.tsc_quantum);
        for (size_t i = 0; i < samples; i++) {
            struct stream_reading reading = stream_next(&stream);
            enum track_event event = take(&track, reading);
            assert_int_not_equal(event, TRACK_BROKEN);
            gaps += event == TRACK_GAP;
            wraps += event == TRACK_OK && reading.count / modulus != last;
            last = reading.count / modulus;
            assert_true(encloses(&track, stream_truth(&stream)));
        }
        struct slope low, high;
        bounded += track_enclosure(&track, &low, &high);
        assert_int_equal(track.samples, samples);
    }
    assert_true(bounded > 1500);
    assert_true(gaps > 1000);
    assert_true(wraps > 1000);
}

// With whole counts no gap cuts, and the enclosure is that of a counter that never wraps.
static void test_whole_counts_make_one_segment(void **state)
{
    (void)state;
    static struct track endless;
    size_t bridged = 0;

    for (uint64_t seed = 1; seed <= 1000; seed++) {
        struct stream stream = stream_make(seed);
        uint64_t modulus = stream_between(&stream, 2 * stream.coarse, 1 << 16);
        uint64_t limit = cycles_for(&stream, modulus - stream.coarse);
        const struct track_config config = {1ull << 60, stream.coarse, NO_LIMIT,
                                            stream.tsc_quantum};
        reset(modulus, stream.coarse, limit, stream.tsc_quantum);
        track_reset(&endless, &config);
        for (size_t i = 0; i < 300; i++) {
            struct stream_reading reading = stream_next(&stream);
            struct reading taken = {reading.before, reading.after, reading.count % modulus};
            uint64_t whole = reading.count + stream_below(&stream, modulus);
            bool wanted = track_wants_whole(&track, reading.after);
            assert_int_equal(track_add(&track, &taken, wanted ? &whole : NULL), TRACK_OK);
            bridged += i && wanted;
            assert_int_equal(track.whole, reading.count);
            assert_int_equal(take(&endless, reading), TRACK_OK);
        }
        struct slope low, high, endless_low, endless_high;
        assert_int_equal(track_enclosure(&track, &low, &high),
                         track_enclosure(&endless, &endless_low, &endless_high));
        assert_int_equal(low.ticks, endless_low.ticks);
        assert_int_equal(low.cycles, endless_low.cycles);
        assert_int_equal(high.ticks, endless_high.ticks);
        assert_int_equal(high.cycles, endless_high.cycles);
    }
    assert_true(bridged > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wraps_are_counted),
        cmocka_unit_test(test_a_gap_opens_a_segment),
        cmocka_unit_test(test_a_stall_inside_a_bracket_is_a_gap),
        cmocka_unit_test(test_a_whole_count_bridges_a_gap),
        cmocka_unit_test(test_a_restart_closes_the_segment),
        cmocka_unit_test(test_a_break_by_hand),
        cmocka_unit_test(test_a_jump_back_is_negative),
        cmocka_unit_test(test_offsets_are_rounded_outwards),
        cmocka_unit_test(test_much_of_a_long_segment_survives_a_break),
        cmocka_unit_test(test_linear_streams_never_break),
        cmocka_unit_test(test_whole_counts_make_one_segment),
    };

    return cmocka_run_group_tests_name("track", tests, NULL, NULL);
}
