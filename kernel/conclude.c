// From the tracks to the result: every clock's enclosure, the vote, the combined rate.
#include "kernel/measure.h"

#include "lib/text.h"
#include "lib/wide.h"

#define BILLION 1000000000u

// What is concluded from: all readings, those before the last break, those of the current window.
enum scope { WHOLE, CLOSED, SLICE };

static uint64_t clamp(uint64_t value, struct rate_interval into)
{
    return value < into.low ? into.low : value > into.high ? into.high : value;
}

// Takes the slope between the narrowest brackets for the estimate, instead of the middle of the
// enclosure, unless a tick of the clock is wider than they are: then the reading's own rounding
// counts for more than its latency.
static void estimate(struct clock_run *run, struct slope p, enum scope scope)
{
    struct slope best = scope == SLICE ? run->slice.slope : track_slope(&run->track);
    uint64_t tick_cycles = rate_cycles_of_ticks(run->step_ticks, p);

    if (best.cycles && tick_cycles <= run->track.widths.minimum)
        run->raw.estimate =
            clamp(rate_from_slopes(run->info.nominal, best, best).estimate, run->raw);
}

static bool enclosure(const struct clock_run *run, enum scope scope, struct slope *low,
                      struct slope *high)
{
    switch (scope) {
    case WHOLE:
        return track_enclosure(&run->track, low, high);
    case CLOSED:
        *low = run->track.low;
        *high = run->track.high;
        return low->cycles && high->cycles;
    case SLICE:
        return slice_enclosure(&run->slice, low, high);
    }
    return false;
}

static void conclude_clock(struct clock_run *run, enum scope scope)
{
    uint64_t first = scope == SLICE ? run->slice.began : run->first_cycles;
    uint64_t last = scope == SLICE ? run->slice.ended : run->last_cycles;
    struct slope low, high;

    run->result = MEASUREMENT_NONE;
    if (!run->sampled || first >= last)
        return;
    run->limit_ppb = wide_mul_div(run->track.widths.minimum, BILLION, last - first);
    if (!enclosure(run, scope, &low, &high))
        return;
    run->result = MEASUREMENT_EMPTY;
    if (slope_less(high, low) || !run->info.nominal.numerator)
        return;
    run->raw = rate_from_slopes(run->info.nominal, low, high);
    estimate(run, low, scope);
    run->widened = rate_widen(run->raw, run->info.below_ppb, run->info.above_ppb);
    run->result = run->stepped                                        ? MEASUREMENT_STEPPED
                  : text_equal(run->info.independence, CLOCK_DERIVED) ? MEASUREMENT_DERIVED
                                                                      : MEASUREMENT_OK;
}

// The vote among the clocks that may take part, clock `without` left out. `voters` gets their
// indices.
static struct vote hold_vote(const struct measurement *measurement, size_t without, size_t *voters,
                             size_t *voter_count)
{
    struct rate_interval intervals[CLOCKS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < measurement->count; i++) {
        const struct clock_run *run = &measurement->clocks[i];
        if (i == without || (run->result != MEASUREMENT_OK && run->result != MEASUREMENT_ODD))
            continue;
        intervals[count] = run->widened;
        voters[count++] = i;
    }
    *voter_count = count;
    return rate_vote(intervals, count);
}

// The middle of what the clock's real rate may be makes of its estimate.
static uint64_t likely(const struct clock_run *run)
{
    uint64_t rate = run->raw.estimate;

    return rate - wide_mul_div(rate, run->info.below_ppb, 2 * (uint64_t)BILLION) +
           wide_mul_div(rate, run->info.above_ppb, 2 * (uint64_t)BILLION);
}

// How far the middle of a clock's widened enclosure is likely to be off. Its nominal rate may be
// wrong by all of its uncertainty; the middle of the raw enclosure is much closer than the
// enclosure's ends, by a factor of 16 and more on the beds of docs/bench.md.
static uint64_t doubt_ppb(const struct clock_run *run)
{
    return ((uint64_t)run->info.below_ppb + run->info.above_ppb) / 2 +
           rate_half_width_ppb(run->raw) / 16;
}

static void combine(struct measurement *measurement)
{
    size_t voters[CLOCKS_MAX], count;
    struct vote vote = hold_vote(measurement, SIZE_MAX, voters, &count);
    struct rate_interval raw = {0, UINT64_MAX, 0};
    uint64_t least_doubt = UINT64_MAX;

    measurement->decided = vote.decided;
    measurement->undecided = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct clock_run *run = &measurement->clocks[voters[i]];
        if (vote.odd >> i & 1 || doubt_ppb(run) >= least_doubt)
            continue;
        least_doubt = doubt_ppb(run);
        measurement->tsc_millihertz = likely(run);
    }
    if (!vote.decided) {
        measurement->undecided = count ? "the reference clocks contradict each other, "
                                         "and there is no majority"
                                       : "no reference clock gave an enclosure";
        return;
    }
    measurement->limit_ppb = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        struct clock_run *run = &measurement->clocks[voters[i]];
        if (vote.odd >> i & 1) {
            run->result = MEASUREMENT_ODD;
            continue;
        }
        raw.low = run->raw.low > raw.low ? run->raw.low : raw.low;
        raw.high = run->raw.high < raw.high ? run->raw.high : raw.high;
        if (run->limit_ppb < measurement->limit_ppb)
            measurement->limit_ppb = run->limit_ppb;
    }
    measurement->all = vote.together;
    measurement->all.estimate = clamp(measurement->tsc_millihertz, vote.together);
    measurement->tsc_millihertz = measurement->all.estimate;
    measurement->raw_known = raw.low <= raw.high;
    measurement->raw = raw;
    measurement->raw.estimate = clamp(measurement->tsc_millihertz, raw);
    measurement->half_width_ppb = rate_half_width_ppb(measurement->all);
}

// The LAPIC timer's rate, against the clocks other than itself.
static void conclude_bus(struct measurement *measurement)
{
    size_t lapic = SIZE_MAX;

    measurement->bus_known = false;
    for (size_t i = 0; i < measurement->count; i++)
        if (text_equal(measurement->clocks[i].clock->name, "lapic"))
            lapic = i;
    const struct clock_run *run = lapic == SIZE_MAX ? NULL : &measurement->clocks[lapic];
    struct slope low, high;
    if (!run || !run->sampled || !track_enclosure(&run->track, &low, &high) ||
        slope_less(high, low)) {
        text_print(measurement->bus_reason, sizeof(measurement->bus_reason),
                   "the LAPIC timer gave no enclosure");
        return;
    }
    size_t voters[CLOCKS_MAX], count;
    struct vote vote = hold_vote(measurement, lapic, voters, &count);
    if (!vote.decided) {
        text_print(measurement->bus_reason, sizeof(measurement->bus_reason),
                   "no other clock to measure the LAPIC timer against");
        return;
    }
    struct text against;
    text_init(&against, measurement->bus_against, sizeof(measurement->bus_against));
    uint64_t least_doubt = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        const struct clock_run *voter = &measurement->clocks[voters[i]];
        if (vote.odd >> i & 1)
            continue;
        text_format(&against, "%s%s", against.used ? ", " : "", voter->clock->name);
        if (doubt_ppb(voter) < least_doubt) {
            least_doubt = doubt_ppb(voter);
            vote.together.estimate = clamp(likely(voter), vote.together);
        }
    }
    measurement->bus = rate_of_clock(low, high, vote.together);
    measurement->bus_known = true;
}

static void conclude(struct measurement *measurement, enum scope scope)
{
    uint64_t began = scope == SLICE ? measurement->window_began : measurement->began;

    for (size_t i = 0; i < measurement->count; i++)
        conclude_clock(&measurement->clocks[i], scope);
    combine(measurement);
    measurement->window_ns = rate_cycles_to_ns(measurement->last_tsc - measurement->base - began,
                                               measurement->tsc_millihertz);
    for (size_t i = 0; i < measurement->count; i++) {
        struct clock_run *run = &measurement->clocks[i];
        struct slope low, high;
        uint64_t defect = run->track.defect_millitick;
        if (scope != SLICE && run->defect_kept_millitick > defect)
            defect = run->defect_kept_millitick;
        run->defect_ns = 0;
        if (run->sampled && defect && track_enclosure(&run->track, &low, &high))
            run->defect_ns = rate_cycles_to_ns(wide_mul_div(defect, low.cycles, low.ticks * 1000),
                                               measurement->tsc_millihertz);
    }
}

void measure_conclude(struct measurement *measurement)
{
    conclude(measurement, WHOLE);
    conclude_bus(measurement);
}

void measure_conclude_slice(struct measurement *measurement)
{
    conclude(measurement, SLICE);
}

void measure_conclude_closed(struct measurement *measurement)
{
    conclude(measurement, CLOSED);
}

struct judgement measure_judge(const struct measurement *measurement, const struct claim *claim,
                               uint64_t tolerance_ppb, const char **reason)
{
    bool tsc = claim->clock == CLAIM_TSC;
    bool known = tsc ? measurement->decided : measurement->bus_known;
    struct rate_interval measured = {0}; // says that nothing is proven

    if (known)
        measured = tsc ? measurement->all : measurement->bus;
    struct judgement judgement =
        claim_judge(claim->millihertz, claim->granularity_millihertz, tolerance_ppb, measured);
    if (!known)
        *reason = tsc ? measurement->undecided : measurement->bus_reason;
    else
        *reason =
            judgement.verdict == VERDICT_INCONCLUSIVE ? "the interval is too wide to tell" : "";
    return judgement;
}
