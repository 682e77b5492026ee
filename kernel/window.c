// Windows: one, until what was asked for is proven or it is over; or with duration= one after
// another, without a gap between them.
#include "kernel/measure.h"

#define STILL_ROUNDS_MAX 10000
#define CHECKS           64 // looks at the precision, and progress reports, per window

// The window may end when some clock has had a narrow bracket in its last twentieth: else the last
// part of it proves nothing.
static bool ends_well(const struct measurement *measurement, uint64_t window_cycles)
{
    for (size_t i = 0; i < measurement->count; i++) {
        const struct clock_run *run = &measurement->clocks[i];
        if (run->sampled && run->info.nominal.numerator &&
            measure_now(measurement) - run->last_narrow_cycles < window_cycles / 20)
            return true;
    }
    return false;
}

static bool all_judged(const struct measurement *measurement, const struct options *options,
                       const struct claim *claims, size_t claim_count)
{
    for (size_t i = 0; i < claim_count; i++) {
        const char *reason;
        if (claims[i].present && claims[i].clock != CLAIM_BCLK &&
            measure_judge(measurement, &claims[i], options->tolerance_ppb, &reason).verdict ==
                VERDICT_INCONCLUSIVE)
            return false;
    }
    return measurement->decided;
}

// Is what was asked for proven? The exact answer takes long divisions, so a rough one comes first.
static bool is_enough(struct measurement *measurement, const struct options *options,
                      const struct claim *claims, size_t claim_count)
{
    bool near = options->stop == STOP_VERDICT;

    for (size_t i = 0; i < measurement->count && !near; i++) {
        const struct clock_run *run = &measurement->clocks[i];
        struct slope low, high;
        near = run->sampled && run->info.nominal.numerator &&
               track_enclosure(&run->track, &low, &high) &&
               slope_half_width_ppb(low, high) < options->precision_ppb + 1;
    }
    if (!near)
        return false;
    measure_conclude(measurement);
    if (measurement->decided && measurement->half_width_ppb <= options->precision_ppb &&
        options->precision_ppb) {
        measurement->stopped_by = "the precision asked for was proven";
        return true;
    }
    if (options->stop == STOP_VERDICT && all_judged(measurement, options, claims, claim_count)) {
        measurement->stopped_by = "every verdict was proven";
        return true;
    }
    return false;
}

// The rate that turns window time into cycles, as the window's own clock has it by now.
static uint64_t refine(const struct measurement *measurement, uint64_t tsc_millihertz)
{
    for (size_t i = 0; i < measurement->count; i++) {
        const struct clock_run *run = &measurement->clocks[i];
        struct slope low, high;
        if (run->clock->name == measurement->window_clock &&
            track_enclosure(&run->track, &low, &high) && !slope_less(high, low))
            return rate_from_slopes(run->info.nominal, low, high).estimate;
    }
    return tsc_millihertz;
}

// Four times as many rounds as fit into the window if every bracket were as narrow as the narrowest
// of the warm-up; and some, for a window that is shorter than a round.
static uint64_t rounds_within(const struct measurement *measurement, uint64_t window_cycles)
{
    return window_cycles / (measurement->round_cycles / 4 + 1) + STILL_ROUNDS_MAX;
}

// The rounds of a window.
struct bounds {
    uint64_t left;
    unsigned still;
};

// A round. The TSC times the window; if it stops, the rounds without progress end it, and if it
// crawls, the rounds that the window can hold: then false.
static bool bounded_round(struct measurement *measurement, struct bounds *bounds)
{
    uint64_t before = measure_now(measurement);

    measure_round(measurement);
    bounds->still = measure_now(measurement) > before ? 0 : bounds->still + 1;
    if (bounds->still <= STILL_ROUNDS_MAX && --bounds->left)
        return true;
    measurement->tsc_advances = false;
    measurement->stopped_by = "the TSC stopped, or slowed down out of all proportion";
    return false;
}

// Learns the TSC's rate from what was sampled, if that tells it.
static void learn(struct measurement *measurement, const struct options *options)
{
    measure_time_by(measurement, options, refine(measurement, measurement->timing_millihertz));
}

static void sample(struct measurement *measurement, const struct options *options,
                   const struct claim *claims, size_t claim_count,
                   void (*progress)(unsigned percent))
{
    uint64_t window = measurement->window_cycles;
    uint64_t check_cycles = window / CHECKS;
    struct bounds bounds = {rounds_within(measurement, window), 0};
    unsigned checks = 0;

    measurement->stopped_by = "the window was over";
    while (measure_now(measurement) < window ||
           (!ends_well(measurement, window) && measure_now(measurement) < window / 20 * 23)) {
        if (!bounded_round(measurement, &bounds))
            break;
        if (measure_now(measurement) < check_cycles)
            continue;
        if (!measurement->timing_millihertz || ++checks <= 4)
            learn(measurement, options);
        window = measurement->window_cycles;
        check_cycles = measure_now(measurement) + window / CHECKS;
        if (progress)
            progress((unsigned)(measure_now(measurement) / (window / 100 + 1)));
        if (is_enough(measurement, options, claims, claim_count))
            break;
    }
}

void measure_end(struct measurement *measurement)
{
    measure_conclude(measurement);
    incident_conclude(measurement);
    measure_conclude(measurement);
    for (size_t i = 0; i < measurement->count; i++)
        slow_conclude(&measurement->clocks[i], measurement->tsc_millihertz,
                      measure_now(measurement));
    for (size_t i = 0; i < measurement->count; i++) {
        struct clock_run *run = &measurement->clocks[i];
        if (!run->sampled || !run->info.posted_ms || run->track.samples >= 2)
            continue;
        run->status = CLOCK_DISABLED;
        run->info.independence = CLOCK_DERIVED;
        run->clock->explain(run->reason, sizeof(run->reason));
    }
}

void measure_window(struct measurement *measurement, const struct options *options,
                    const struct claim *claims, size_t claim_count,
                    void (*progress)(unsigned percent))
{
    if (!measure_begin(measurement, options))
        return;
    sample(measurement, options, claims, claim_count, progress);
    measure_end(measurement);
}

void measure_keep(struct measurement *measurement)
{
    measurement->busy = true;
    measure_round(measurement);
}

// Is there something to tell?
static bool has_news(const struct measurement *measurement)
{
    return measurement->gap_count ||
           measurement->incident_count > (measurement->pending != SIZE_MAX);
}

void measure_next(struct measurement *measurement)
{
    measurement->window++;
    measurement->window_began = measure_now(measurement);
    measurement->window_at_ns += measurement->window_ns;
    measurement->window_samples = measurement->samples;
    measurement->busy = true;
    for (size_t i = 0; i < measurement->count; i++) {
        struct clock_run *run = &measurement->clocks[i];
        if (!run->sampled)
            continue;
        slice_begin(&run->slice);
        if (run->track.defect_millitick > run->defect_kept_millitick)
            run->defect_kept_millitick = run->track.defect_millitick;
        run->track.defect_millitick = 0;
    }
}

bool measure_slice(struct measurement *measurement, const struct options *options,
                   void (*look)(void *context), void *context)
{
    unsigned checks = 0;
    struct bounds bounds = {rounds_within(measurement, measurement->window_cycles), 0};
    uint64_t check_cycles = measurement->window_cycles / CHECKS;

    measure_limit_gaps(measurement);
    // After a gap at its end, every clock is read once more.
    while (measure_now(measurement) - measurement->window_began < measurement->window_cycles ||
           (measurement->gap_count && !measurement->gaps[0].whole)) {
        for (size_t i = 0; i < measurement->gap_count && i < GAPS_MAX; i++)
            measurement->gaps[i].whole = true;
        if (!bounded_round(measurement, &bounds))
            return false;
        if (has_news(measurement))
            look(context);
        // The windows after the first one are as long as that.
        if (measurement->window || measure_now(measurement) < check_cycles)
            continue;
        if (!measurement->timing_millihertz || ++checks <= 4)
            learn(measurement, options);
        check_cycles = measure_now(measurement) + measurement->window_cycles / CHECKS;
    }
    for (size_t i = 0; i < measurement->count; i++) {
        struct clock_run *run = &measurement->clocks[i];
        if (run->sampled)
            slice_end(&run->slice, &run->track.recall, run->track.segments);
    }
    return true;
}

void measure_forget(struct measurement *measurement)
{
    measurement->began = measure_now(measurement);
    for (size_t i = 0; i < measurement->count; i++) {
        struct clock_run *run = &measurement->clocks[i];
        if (!run->sampled)
            continue;
        track_forget(&run->track);
        slice_forget(&run->slice);
        run->first_cycles = run->track.open ? run->track.began : measure_now(measurement);
    }
}
