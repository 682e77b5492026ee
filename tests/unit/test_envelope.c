#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/envelope.h"
#include "tests/unit/stream.h"

#define SAMPLES_MAX 2048

// The enclosure by its definition: every pair of samples, nothing left out.
struct brute {
    struct sample samples[SAMPLES_MAX];
    size_t count;
    uint64_t step;
    struct slope low, high;
};

static void brute_add(struct brute *brute, struct sample sample)
{
    brute->samples[brute->count++] = sample;
    for (size_t i = 0; i + 1 < brute->count; i++) {
        struct sample old = brute->samples[i];
        uint64_t rise = sample.ticks - old.ticks;
        if (sample.before > old.after) {
            struct slope slope = {rise + brute->step, sample.before - old.after};
            if (!brute->high.cycles || slope_less(slope, brute->high))
                brute->high = slope;
        }
        if (rise > brute->step) {
            struct slope slope = {rise - brute->step, sample.after - old.before};
            if (!brute->low.cycles || slope_less(brute->low, slope))
                brute->low = slope;
        }
    }
}

static bool brute_fits(const struct brute *brute)
{
    return !brute->low.cycles || !brute->high.cycles || !slope_less(brute->high, brute->low);
}

static bool equal(struct slope a, struct slope b)
{
    return !a.cycles == !b.cycles && !slope_less(a, b) && !slope_less(b, a);
}

static struct sample sample_of(const struct stream *stream, struct stream_reading reading)
{
    return (struct sample){reading.before, reading.after + stream->tsc_quantum, reading.count};
}

// Is there a line if `step` were `step` / `scale` ticks?
static bool fits_with(const struct brute *brute, uint64_t step, uint64_t scale)
{
    static struct brute scaled;

    scaled.count = 0;
    scaled.step = step;
    scaled.low = scaled.high = (struct slope){0, 0};
    for (size_t i = 0; i < brute->count; i++) {
        struct sample sample = brute->samples[i];
        sample.ticks *= scale;
        brute_add(&scaled, sample);
    }
    return brute_fits(&scaled);
}

// The envelope and the brute force agree after every sample, the one that breaks included, where
// only the breaking counts. Gives whether one did.
static bool agree(struct stream *stream, size_t samples, struct brute *brute,
                  struct envelope *envelope)
{
    envelope_reset(envelope, stream->coarse);
    brute->count = 0;
    brute->step = stream->coarse;
    brute->low = brute->high = (struct slope){0, 0};
    for (size_t i = 0; i < samples; i++) {
        struct stream_reading reading = stream_next(stream);
        struct sample sample = sample_of(stream, reading);
        if (reading.backwards)
            break;
        brute_add(brute, sample);
        enum fit fit = envelope_add(envelope, &sample);
        assert_int_equal(fit, brute_fits(brute) ? FIT_OK : FIT_BROKEN);
        if (fit == FIT_BROKEN)
            return true;
        assert_true(equal(envelope->low, brute->low));
        assert_true(equal(envelope->high, brute->high));
    }
    return false;
}

// Feeds samples to an envelope and to the brute force; gives the last sample's fit.
static enum fit feed(struct envelope *envelope, struct brute *brute, uint64_t step,
                     const struct sample *samples, size_t count)
{
    enum fit fit = FIT_OK;

    envelope_reset(envelope, step);
    brute->count = 0;
    brute->step = step;
    brute->low = brute->high = (struct slope){0, 0};
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(fit, FIT_OK);
        brute_add(brute, samples[i]);
        fit = envelope_add(envelope, &samples[i]);
    }
    return fit;
}

// The defect is a lower bound of the growth of `step` that lets all samples fit. It is that growth,
// to a thousandth of a tick, if no point was left out that the crossed bounds no longer imply;
// gives whether it is.
static bool check_defect(const struct brute *brute, const struct envelope *envelope)
{
    uint64_t defect = envelope_defect_millitick(envelope);

    if (defect)
        assert_false(fits_with(brute, brute->step * 1000 + defect - 1, 1000));
    return fits_with(brute, brute->step * 1000 + defect + 1, 1000);
}

static void test_two_samples_by_hand(void **state)
{
    (void)state;
    static const struct sample first = {0, 10, 100}, second = {1000, 1020, 200};
    struct envelope envelope;

    envelope_reset(&envelope, 1);
    assert_int_equal(envelope_add(&envelope, &first), FIT_OK);
    assert_false(envelope_bounded(&envelope));
    assert_int_equal(envelope_add(&envelope, &second), FIT_OK);
    assert_true(envelope_bounded(&envelope));
    // At least from just below 101 at 0 to 200 at 1020, at most from 100 at 10 to 201 at 1000.
    assert_int_equal(envelope.low.ticks, 99);
    assert_int_equal(envelope.low.cycles, 1020);
    assert_int_equal(envelope.high.ticks, 101);
    assert_int_equal(envelope.high.cycles, 990);
}

static void test_a_count_that_stands_has_no_lower_bound(void **state)
{
    (void)state;
    static const struct sample first = {0, 10, 100}, second = {1000, 1020, 101};
    struct envelope envelope;

    envelope_reset(&envelope, 1);
    assert_int_equal(envelope_add(&envelope, &first), FIT_OK);
    assert_int_equal(envelope_add(&envelope, &second), FIT_OK);
    assert_int_equal(envelope.low.cycles, 0);
    assert_int_equal(envelope.high.ticks, 2);
    assert_false(envelope_bounded(&envelope));
}

static void test_a_tsc_that_goes_back_adds_nothing(void **state)
{
    (void)state;
    static const struct sample first = {100, 110, 50};
    static const struct sample bad[] = {{120, 119, 60}, {99, 120, 60}, {100, 109, 60}};
    static const struct sample equal_times = {100, 110, 50};
    struct envelope envelope;

    envelope_reset(&envelope, 1);
    assert_int_equal(envelope_add(&envelope, &first), FIT_OK);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(envelope_add(&envelope, &bad[i]), FIT_BACKWARDS);
        assert_int_equal(envelope.samples, 1);
    }
    assert_int_equal(envelope_add(&envelope, &equal_times), FIT_OK);
    assert_int_equal(envelope.samples, 2);
}

static void test_slopes_that_touch_are_not_broken(void **state)
{
    (void)state;
    // Zero-width brackets: p is at most (1+1)/10 and at least (6-1-1)/20, which is the same.
    static const struct sample samples[] = {{0, 0, 0}, {10, 10, 1}, {30, 30, 6}};
    static const struct sample more = {30, 30, 7};
    static struct envelope envelope;
    static struct brute brute;

    assert_int_equal(feed(&envelope, &brute, 1, samples, ARRAY_SIZE(samples)), FIT_OK);
    assert_true(equal(envelope.low, envelope.high));
    assert_int_equal(envelope_defect_millitick(&envelope), 0);
    assert_int_equal(envelope_add(&envelope, &more), FIT_BROKEN);
}

static void test_linear_streams_enclose_the_truth_exactly(void **state)
{
    (void)state;
    static struct brute brute;
    static struct envelope envelope;
    size_t bounded = 0;

    for (uint64_t seed = 1; seed <= 4000; seed++) {
        struct stream stream = stream_make(seed);
        assert_false(agree(&stream, stream_between(&stream, 2, 150), &brute, &envelope));
        assert_int_equal(envelope_defect_millitick(&envelope), 0);
        if (!envelope_bounded(&envelope))
            continue;
        assert_true(slope_within(stream_truth(&stream), envelope.low, envelope.high));
        bounded++;
    }
    assert_true(bounded > 3000);
}

static void test_broken_streams_break_exactly_and_the_defect_is_a_lower_bound(void **state)
{
    (void)state;
    static struct brute brute;
    static struct envelope envelope;
    size_t broken = 0, exact = 0;

    for (uint64_t seed = 1; seed <= 4000; seed++) {
        struct stream stream = stream_make(seed);
        size_t samples = stream_between(&stream, 10, 150);
        uint64_t each = 2 * (stream.alpha_min + stream.beta_min + stream.spacing);
        stream.change_at = stream.now + stream_below(&stream, samples * each + 1);
        uint64_t size = (stream.alpha_min + stream.beta_min + stream.jitter) / STREAM_FINE + 1;
        switch (stream_below(&stream, 4)) {
        case 0:
            stream.clock_jump = (int64_t)stream_below(&stream, 1000);
            break;
        case 1:
            stream.tsc_jump = (int64_t)stream_below(&stream, 8 * size);
            break;
        case 2:
            stream.tsc_jump = -(int64_t)stream_below(&stream, 2 * size);
            break;
        default:
            stream.rate_after = stream.rate + stream_between(&stream, 1, stream.rate);
        }
        if (!agree(&stream, samples, &brute, &envelope))
            continue;
        broken++;
        exact += check_defect(&brute, &envelope);
    }
    assert_true(broken > 1000);
    assert_true(exact > broken / 2);
}

// Here the worst pairs at the two crossed bounds meet below zero: the first cut proves nothing yet.
static void test_the_defect_survives_a_first_cut_below_zero(void **state)
{
    (void)state;
    static const struct sample samples[] = {{0, 2000, 401},
                                            {2000, 3000, 4000},
                                            {3090, 3094, 4179},
                                            {3095, 3099, 4191},
                                            {3099, 3100, 4210}};
    static struct envelope envelope;
    static struct brute brute;

    assert_int_equal(feed(&envelope, &brute, 1, samples, ARRAY_SIZE(samples)), FIT_BROKEN);
    assert_true(check_defect(&brute, &envelope));
}

// Three points at full range: the middle one lies half of `rise` off the line of the others. This
// one's defect in thousandths is 2^67 + 72, which must not come out as 72.
static void test_the_defect_saturates(void **state)
{
    (void)state;
    uint64_t cycles = 1ull << 60, rise = 2 * (147573952589676413u + 1);
    const struct sample samples[] = {
        {0, 0, 0}, {cycles, cycles, 0}, {2 * cycles, 2 * cycles, rise}};
    static struct envelope envelope;
    static struct brute brute;

    assert_int_equal(feed(&envelope, &brute, 1, samples, 3), FIT_BROKEN);
    assert_int_equal(envelope_defect_millitick(&envelope), UINT64_MAX);
    const struct sample smaller[] = {
        {0, 0, 0}, {cycles, cycles, 0}, {2 * cycles, 2 * cycles, 1ull << 51}};
    assert_int_equal(feed(&envelope, &brute, 1, smaller, 3), FIT_BROKEN);
    assert_int_equal(envelope_defect_millitick(&envelope), ((1ull << 50) - 1) * 1000);
}

// Brackets that are widest at both ends and in the middle narrowest: every point is a vertex, and
// the hulls overflow. What they forget must not make the enclosure wrong.
static void test_full_hulls_stay_sound(void **state)
{
    (void)state;
    static struct brute brute;
    static struct envelope envelope;
    static const struct slope truth = {1, 1};

    envelope_reset(&envelope, 1);
    brute.count = 0;
    brute.step = 1;
    brute.low = brute.high = (struct slope){0, 0};
    for (int64_t i = 0; i < 1500; i++) {
        uint64_t half = (uint64_t)((1500 - i) * (1500 - i)) + 10; // each narrower: none is implied
        uint64_t at = 10000000 + (uint64_t)i * 100000;
        struct sample sample = {at - half, at + half, at};
        brute_add(&brute, sample);
        assert_int_equal(envelope_add(&envelope, &sample), FIT_OK);
        assert_true(envelope.floor.count <= HULL_MAX && envelope.ceiling.count <= HULL_MAX);
        assert_true(i < 1 || slope_within(truth, envelope.low, envelope.high));
        assert_true(i < 1 || slope_within(brute.low, envelope.low, envelope.high));
        assert_true(i < 1 || slope_within(brute.high, envelope.low, envelope.high));
    }
    assert_int_equal(envelope.floor.count, HULL_MAX);
    assert_int_equal(envelope.ceiling.count, HULL_MAX);
    // The oldest and the youngest vertices are kept, so a step is still seen at once.
    struct sample last = brute.samples[brute.count - 1];
    assert_int_equal(envelope.floor.points[0].cycles, brute.samples[0].after);
    assert_int_equal(envelope.floor.points[HULL_MAX - 2].cycles,
                     brute.samples[brute.count - 2].after);
    last.before += 10000000;
    last.after += 10000000;
    last.ticks += 10000000 + 2000000;
    assert_int_equal(envelope_add(&envelope, &last), FIT_BROKEN);
}

// Coordinates up to 2^62: nothing overflows (UBSan watches), and the bounds are still exact.
static void test_the_limits_of_the_range(void **state)
{
    (void)state;
    static struct brute brute;
    static struct envelope envelope;
    const uint64_t top = 1ull << 62;
    size_t broken = 0;

    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct stream stream = {.random = seed};
        size_t samples = stream_between(&stream, 3, 40);
        uint64_t rate = stream_between(&stream, top / 4, top - 1);
        uint64_t width = 1ull << stream_between(&stream, 0, 55);
        uint64_t jump = stream_below(&stream, 2) ? 0 : 1ull << stream_between(&stream, 30, 60);
        enum fit fit = FIT_OK;
        envelope_reset(&envelope, 1);
        brute.count = 0;
        brute.step = 1;
        brute.low = brute.high = (struct slope){0, 0};
        for (size_t i = 0; i < samples && fit == FIT_OK; i++) {
            uint64_t before = (top - 1 - 2 * width) / (samples - 1) * i;
            uint64_t at = before + stream_below(&stream, width);
            uint64_t ticks = (uint64_t)((uint128)at * rate >> 62);
            if (i > samples / 2)
                ticks = ticks + jump < top - 1 ? ticks + jump : top - 2;
            struct sample sample = {before, before + width, ticks};
            brute_add(&brute, sample);
            fit = envelope_add(&envelope, &sample);
            assert_int_equal(fit, brute_fits(&brute) ? FIT_OK : FIT_BROKEN);
            assert_true(fit == FIT_BROKEN || equal(envelope.low, brute.low));
            assert_true(fit == FIT_BROKEN || equal(envelope.high, brute.high));
        }
        assert_true(fit == FIT_OK || jump);
        if (fit == FIT_OK)
            continue;
        broken++;
        uint64_t defect_ticks = envelope_defect_millitick(&envelope) / 1000;
        if (defect_ticks)
            assert_false(fits_with(&brute, 1 + defect_ticks - 1, 1));
    }
    assert_true(broken > 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_samples_by_hand),
        cmocka_unit_test(test_a_count_that_stands_has_no_lower_bound),
        cmocka_unit_test(test_a_tsc_that_goes_back_adds_nothing),
        cmocka_unit_test(test_slopes_that_touch_are_not_broken),
        cmocka_unit_test(test_linear_streams_enclose_the_truth_exactly),
        cmocka_unit_test(test_broken_streams_break_exactly_and_the_defect_is_a_lower_bound),
        cmocka_unit_test(test_the_defect_survives_a_first_cut_below_zero),
        cmocka_unit_test(test_the_defect_saturates),
        cmocka_unit_test(test_full_hulls_stay_sound),
        cmocka_unit_test(test_the_limits_of_the_range),
    };

    return cmocka_run_group_tests_name("envelope", tests, NULL, NULL);
}
