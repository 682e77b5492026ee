#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/recall.h"
#include "tests/unit/stream.h"

#define SAMPLES_MAX 60000

static struct recall recall;
static struct sample samples[SAMPLES_MAX];

static bool same(const struct sample *a, const struct sample *b)
{
    return a->before == b->before && a->after == b->after && a->ticks == b->ticks;
}

// Heights of a sample's points relative to the line clock = tsc.
static int64_t floor_of(const struct sample *sample)
{
    return (int64_t)(sample->ticks - sample->after);
}

static int64_t ceiling_of(const struct sample *sample)
{
    return (int64_t)(sample->ticks - sample->before);
}

static void fill(size_t first, size_t count, unsigned segment, uint64_t seed)
{
    struct stream stream = {.random = seed};

    for (size_t i = first; i < first + count; i++) {
        uint64_t at = 1000000 + i * 1000;
        samples[i].before = at - stream_between(&stream, 0, 400);
        samples[i].after = at + stream_between(&stream, 0, 400);
        samples[i].ticks = at;
        recall_add(&recall, &samples[i], segment, (struct slope){1, 1});
    }
}

static void test_the_last_samples_are_all_there(void **state)
{
    (void)state;
    unsigned segment;

    recall_reset(&recall);
    assert_int_equal(recall_count(&recall), 0);
    for (size_t count = 1; count <= 3 * RECALL_RECENT; count++) {
        fill(count - 1, 1, (unsigned)(count / 100), count);
        assert_true(recall_count(&recall) >= (count < RECALL_RECENT ? count : RECALL_RECENT));
        for (size_t age = 0; age < count && age < RECALL_RECENT; age++) {
            assert_true(same(recall_sample(&recall, age, &segment), &samples[count - 1 - age]));
            assert_int_equal(segment, (count - age) / 100);
        }
    }
    recall_reset(&recall);
    assert_int_equal(recall_count(&recall), 0);
}

// Whatever the length: in order, spread over all of the stream, and with the points that bind most.
static void check_old_ones(size_t count)
{
    size_t old = count - RECALL_RECENT;
    int64_t best_floor = INT64_MIN, best_ceiling = INT64_MAX;
    int64_t kept_floor = INT64_MIN, kept_ceiling = INT64_MAX;
    const struct sample *younger = &samples[count - 1];
    unsigned segment;

    for (size_t i = 0; i < old; i++) {
        best_floor = floor_of(&samples[i]) > best_floor ? floor_of(&samples[i]) : best_floor;
        best_ceiling =
            ceiling_of(&samples[i]) < best_ceiling ? ceiling_of(&samples[i]) : best_ceiling;
    }
    assert_true(recall_count(&recall) <= RECALL_RECENT + 2 * RECALL_BLOCKS);
    for (size_t age = 0; age < recall_count(&recall); age++) {
        const struct sample *sample = recall_sample(&recall, age, &segment);
        size_t index = (size_t)((sample->ticks - 1000000) / 1000);
        assert_int_equal(segment, 7);
        assert_true(same(sample, &samples[index]));
        assert_true(sample->before <= younger->before && sample->after <= younger->after);
        // Two blocks at most between neighbours, each a 64th of the stream at most.
        assert_true(younger->ticks - sample->ticks <= (2 + old / 32) * 1000);
        younger = sample;
        if (age < RECALL_RECENT)
            continue;
        kept_floor = floor_of(sample) > kept_floor ? floor_of(sample) : kept_floor;
        kept_ceiling = ceiling_of(sample) < kept_ceiling ? ceiling_of(sample) : kept_ceiling;
    }
    assert_int_equal(kept_floor, best_floor);
    assert_int_equal(kept_ceiling, best_ceiling);
    assert_true(younger->ticks <= samples[old / 32].ticks);
}

static void test_of_the_older_ones_the_best_are_kept(void **state)
{
    (void)state;
    static const size_t counts[] = {RECALL_RECENT + 1,
                                    RECALL_RECENT + RECALL_BLOCKS,
                                    RECALL_RECENT + RECALL_BLOCKS + 1,
                                    RECALL_RECENT + 2 * RECALL_BLOCKS + 1,
                                    5000,
                                    20001,
                                    SAMPLES_MAX};

    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        recall_reset(&recall);
        fill(0, counts[i], 7, i + 1);
        check_old_ones(counts[i]);
    }
}

static void test_only_the_youngest_segment_is_kept_of_the_old(void **state)
{
    (void)state;
    unsigned segment;

    recall_reset(&recall);
    fill(0, 3000, 1, 1);
    fill(3000, 600, 2, 2);
    // 600 - 512 samples of segment 2 have left the ring, and taken the place of the 3000.
    assert_int_equal(recall_count(&recall), RECALL_RECENT + 2 * (600 - RECALL_RECENT));
    for (size_t age = 0; age < recall_count(&recall); age++) {
        recall_sample(&recall, age, &segment);
        assert_int_equal(segment, 2);
    }
    fill(3600, 512, 3, 3);
    recall_sample(&recall, RECALL_RECENT - 1, &segment);
    assert_int_equal(segment, 3);
    recall_sample(&recall, RECALL_RECENT, &segment);
    assert_int_equal(segment, 2);
}

// Without a slope nothing can be compared; the order and the bounds must hold all the same.
static void test_an_unknown_slope(void **state)
{
    (void)state;
    unsigned segment;

    recall_reset(&recall);
    for (uint64_t i = 0; i < 5000; i++)
        recall_add(&recall, &(struct sample){i * 10, i * 10 + 5, i}, 1, (struct slope){0, 0});
    uint64_t last = UINT64_MAX;
    for (size_t age = 0; age < recall_count(&recall); age++) {
        const struct sample *sample = recall_sample(&recall, age, &segment);
        assert_true(sample->before <= last);
        last = sample->before;
    }
    assert_int_equal(last, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_samples_are_all_there),
        cmocka_unit_test(test_of_the_older_ones_the_best_are_kept),
        cmocka_unit_test(test_only_the_youngest_segment_is_kept_of_the_old),
        cmocka_unit_test(test_an_unknown_slope),
    };

    return cmocka_run_group_tests_name("recall", tests, NULL, NULL);
}
