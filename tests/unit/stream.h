// Seeded streams of readings of a clock whose true line is known.
//
// Real time runs in sixteenths of a TSC cycle, so that what the TSC rounds away is modelled too. A
// stream stops being linear at `change_at`, where the clock or the TSC steps or the rate changes.
#pragma once

#include "lib/envelope.h"
#include "lib/types.h"

#define STREAM_FINE 16 // units of real time in a cycle

struct stream {
    uint64_t random;
    uint64_t now;
    uint64_t last_tsc; // as read
    // The clock: floor((rate * now + phase) / denominator), rounded down to a multiple of `coarse`.
    uint64_t rate, denominator, phase, coarse;
    uint64_t tsc_quantum; // cycles
    // One reading: spacing, then alpha before the sampling and beta after it.
    uint64_t alpha_min, beta_min, jitter, spacing;
    uint64_t stall, stall_one_in; // now and then a stall as well, anywhere
    uint64_t change_at;
    int64_t clock_jump;  // ticks
    int64_t tsc_jump;    // cycles
    uint64_t rate_after; // 0: the rate stays
};

struct stream_reading {
    uint64_t before, after, count; // as read
    uint64_t sampled_at;           // real time
    bool backwards;                // a TSC value was lower than one before it
};

static inline uint64_t stream_random(struct stream *stream)
{
    // splitmix64, Steele, Lea and Flood 2014.
    uint64_t z = stream->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

// Uniform in [0, below).
static inline uint64_t stream_below(struct stream *stream, uint64_t below)
{
    return below ? stream_random(stream) % below : 0;
}

static inline uint64_t stream_between(struct stream *stream, uint64_t low, uint64_t high)
{
    return low + stream_below(stream, high - low + 1);
}

// A duration with a heavy tail: below `scale` nine times in ten, up to 1000 times that.
static inline uint64_t stream_jitter(struct stream *stream, uint64_t scale)
{
    uint64_t value = stream_below(stream, scale + 1);
    uint64_t kind = stream_below(stream, 1000);

    return kind < 900 ? value : kind < 998 ? value * 10 : value * 1000;
}

static inline uint64_t stream_stall(struct stream *stream)
{
    if (!stream->stall_one_in || stream_below(stream, stream->stall_one_in))
        return 0;
    return stream_below(stream, stream->stall);
}

static inline uint64_t stream_tsc(const struct stream *stream, uint64_t now)
{
    uint64_t cycles = now / STREAM_FINE;

    if (now >= stream->change_at)
        cycles += (uint64_t)stream->tsc_jump;
    return cycles / stream->tsc_quantum * stream->tsc_quantum;
}

static inline uint64_t stream_count(const struct stream *stream, uint64_t now)
{
    uint128 scaled = (uint128)stream->rate * now;

    if (now >= stream->change_at && stream->rate_after)
        scaled = (uint128)stream->rate * stream->change_at +
                 (uint128)stream->rate_after * (now - stream->change_at);
    uint64_t count = (uint64_t)((scaled + stream->phase) / stream->denominator);
    if (now >= stream->change_at)
        count += (uint64_t)stream->clock_jump;
    return count - count % stream->coarse;
}

static inline struct stream_reading stream_next(struct stream *stream)
{
    struct stream_reading reading;

    stream->now += stream_below(stream, 2 * stream->spacing) + stream_stall(stream);
    reading.before = stream_tsc(stream, stream->now);
    stream->now += stream->alpha_min + stream_jitter(stream, stream->jitter) + stream_stall(stream);
    reading.sampled_at = stream->now;
    reading.count = stream_count(stream, stream->now);
    stream->now += stream->beta_min + stream_jitter(stream, stream->jitter) + stream_stall(stream);
    reading.after = stream_tsc(stream, stream->now);
    stream->now++;
    reading.backwards = reading.before < stream->last_tsc || reading.after < reading.before;
    stream->last_tsc = reading.after;
    return reading;
}

// The true slope, before and after the change.
static inline struct slope stream_truth(const struct stream *stream)
{
    return (struct slope){stream->rate * STREAM_FINE, stream->denominator};
}

static inline struct slope stream_truth_after(const struct stream *stream)
{
    uint64_t rate = stream->rate_after ? stream->rate_after : stream->rate;

    return (struct slope){rate * STREAM_FINE, stream->denominator};
}

// A linear stream of one of many kinds: rates from 2^-12 to 4 ticks a cycle, brackets from a few to
// some ten thousand cycles, coarse steps, a quantised TSC, stalls.
static inline struct stream stream_make(uint64_t seed)
{
    struct stream stream = {.random = seed * 0x2545f4914f6cdd1du + 1, .change_at = UINT64_MAX};
    struct stream *s = &stream;

    s->denominator = stream_between(s, 1 << 20, 1 << 24);
    s->rate = s->denominator * 4 / STREAM_FINE >> stream_below(s, 15);
    s->rate += stream_below(s, s->rate);
    s->now = stream_between(s, 1 << 10, 1 << 30);
    // The count starts far enough from 0 for a jump back.
    s->phase = stream_below(s, s->denominator) + (s->denominator << 32);
    s->coarse = stream_below(s, 3) ? 1 : stream_between(s, 2, 40);
    s->tsc_quantum = stream_below(s, 3) ? 1 : stream_between(s, 2, 100);
    uint64_t scale = 16u << stream_below(s, 12);
    s->alpha_min = stream_below(s, scale) + 1;
    s->beta_min = stream_below(s, scale) + 1;
    s->jitter = stream_below(s, scale) + 1;
    s->spacing = stream_below(s, 8 * scale) + 1;
    s->stall = stream_below(s, 100 * scale) + 1;
    s->stall_one_in = stream_below(s, 2) ? 0 : 100;
    return stream;
}

static inline bool slope_within(struct slope slope, struct slope low, struct slope high)
{
    return !slope_less(slope, low) && !slope_less(high, slope);
}
