#include "kernel/monitor.h"

#include "kernel/claims/claims.h"
#include "kernel/cpuid_log.h"
#include "lib/text.h"
#include "lib/wide.h"

struct run {
    struct monitor *monitor;
    struct measurement *measurement;
    const struct platform *platform;
    const struct options *options;
    struct claim *claims;
    size_t claim_count;
    const struct monitor_listener *listener;
};

static uint64_t to_ns(const struct measurement *measurement, uint64_t cycles)
{
    return rate_cycles_to_ns(cycles, measurement->tsc_millihertz);
}

static uint64_t magnitude(int64_t value)
{
    return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

// A scan that takes so many times as long as the first one was interrupted.
#define SCANS_LONG 4

#define HOUR_NS 3600000000000u

// What parts per 10^12 in so many ns are in ppb an hour, rounded up; saturates.
static int64_t an_hour(int64_t ppt, uint64_t ns)
{
    uint64_t ppb = wide_mul_div(magnitude(ppt), HOUR_NS / 1000, ns);

    if (ppb > INT64_MAX / 4)
        ppb = INT64_MAX / 4;
    return ppt < 0 ? -(int64_t)ppb : (int64_t)ppb + 1;
}

// The least size that an interval leaves, with its sign; 0 if it holds 0.
static int64_t least_size(int64_t low, int64_t high)
{
    return low > 0 ? low : high < 0 ? high : 0;
}

static void widen_to(struct rate_interval *hull, const struct rate_interval *rate, bool first)
{
    if (first || rate->low < hull->low)
        hull->low = rate->low;
    if (first || rate->high > hull->high)
        hull->high = rate->high;
}

static void judge_stretch(const struct run *run)
{
    struct monitor *monitor = run->monitor;
    const struct measurement *measurement = run->measurement;

    for (size_t i = 0; i < run->claim_count; i++) {
        const struct claim *claim = &run->claims[i];
        const char *reason;
        if (!claim->present || claim->clock == CLAIM_BCLK)
            continue;
        struct judgement judgement =
            measure_judge(measurement, claim, run->options->tolerance_ppb, &reason);
        bool known = monitor->judged[i].known;
        bool off = judgement.verdict == VERDICT_OFF;
        if (judgement.verdict == VERDICT_INCONCLUSIVE ||
            (known && !off &&
             (monitor->judged[i].judgement.verdict == VERDICT_OFF ||
              monitor->judged[i].window_ns > measurement->window_ns)))
            continue;
        monitor->judged[i].known = true;
        monitor->judged[i].window_ns = measurement->window_ns;
        monitor->judged[i].judgement = judgement;
    }
}

// A stretch of constant rate ends: what `measurement` has concluded about it is put aside.
static void put_aside(const struct run *run)
{
    struct monitor *monitor = run->monitor;
    const struct measurement *measurement = run->measurement;

    if (!measurement->decided) {
        // A break that could not be located spoilt it. What the windows proved holds.
        if (monitor->window_hull_known) {
            widen_to(&monitor->rate, &monitor->window_hull, !monitor->decided);
            monitor->raw_known = false;
            monitor->decided = true;
            monitor->stretches++;
        }
        return;
    }
    bool first = !monitor->decided;
    widen_to(&monitor->rate, &measurement->all, first);
    monitor->raw_known = (first || monitor->raw_known) && measurement->raw_known;
    widen_to(&monitor->raw, &measurement->raw, first);
    monitor->decided = true;
    monitor->stretches++;
    monitor->rate_ns += measurement->window_ns;
    monitor->mean += (uint128)measurement->all.estimate * measurement->window_ns;
    judge_stretch(run);
}

// The rate is another one since the last break.
static void begin_stretch(const struct run *run)
{
    measure_conclude_closed(run->measurement);
    put_aside(run);
    run->monitor->window_hull_known = false;
    measure_forget(run->measurement);
    measure_conclude(run->measurement);
}

// Takes the drift that a clock's marks prove, if it is known better than before.
static void take_drift(struct monitor *monitor, const struct measurement *measurement,
                       const struct clock_run *run)
{
    struct drift drift;

    if (run->result == MEASUREMENT_DERIVED || !marks_drift(&run->marks, run->step_ticks, &drift))
        return;
    uint64_t ns = to_ns(measurement, drift.cycles);
    int64_t low = -an_hour(-drift.low_ppt, ns), high = an_hour(drift.high_ppt, ns);
    if (monitor->drift_clock && high - low >= monitor->drift_high_ppb - monitor->drift_low_ppb)
        return;
    monitor->drift_clock = run->clock->name;
    monitor->drift_low_ppb = low;
    monitor->drift_high_ppb = high;
}

// A clock whose count is not sure over what happened begins anew. What is not sized yet may be a
// step, so nothing behind it counts.
static void drop_marks(struct monitor *monitor, const struct measurement *measurement,
                       struct clock_run *run)
{
    for (size_t i = 0; i < measurement->incident_count && i < INCIDENTS_MAX; i++)
        marks_cut(&run->marks, measurement->incidents[i].after_cycles);
    take_drift(monitor, measurement, run);
    marks_reset(&run->marks);
}

// The reading at the end of the window, of each clock.
static void add_marks(struct monitor *monitor, struct measurement *measurement)
{
    for (size_t i = 0; i < measurement->count; i++) {
        struct clock_run *run = &measurement->clocks[i];
        if (!run->sampled)
            continue;
        if (!run->slice.linked)
            drop_marks(monitor, measurement, run);
        if (run->slice.mark_known)
            marks_add(&run->marks, &run->slice.mark);
    }
}

// How long a reading of this clock is uncertain by: its narrowest bracket, and a tick; in cycles.
static uint64_t fuzz_cycles(const struct clock_run *run, uint64_t timing_millihertz)
{
    uint64_t tick_ns =
        wide_mul_div_up(1000000000, run->info.nominal.denominator, run->info.nominal.numerator);

    return run->track.widths.minimum + rate_ns_to_cycles(tick_ns, timing_millihertz);
}

// The frequency in the window against one clock: the best one of the first window that tells.
static void add_to_allan(struct monitor *monitor, const struct measurement *measurement)
{
    uint64_t least = UINT64_MAX;

    for (size_t i = 0; !monitor->allan_millihertz && i < measurement->count; i++) {
        const struct clock_run *run = &measurement->clocks[i];
        if (run->result != MEASUREMENT_OK || !run->slice.slope.cycles)
            continue;
        uint64_t fuzz = fuzz_cycles(run, measurement->timing_millihertz);
        if (fuzz >= least)
            continue;
        least = fuzz;
        monitor->allan_index = i;
        monitor->allan_clock = run->clock->name;
    }
    if (!monitor->allan_clock)
        return;
    const struct clock_run *run = &measurement->clocks[monitor->allan_index];
    struct slope slope = run->slice.slope;
    // A window with a gap in it is longer than the others.
    if (!slope.cycles || monitor->window_gaps) {
        allan_gap(&monitor->allan);
        return;
    }
    uint64_t rate = rate_from_slopes(run->info.nominal, slope, slope).estimate;
    uint64_t base = monitor->allan_millihertz;
    if (!base)
        base = monitor->allan_millihertz = rate;
    bool less = rate < base;
    uint64_t ppt = wide_mul_div(less ? base - rate : rate - base, 1000000000000u, base);
    if (ppt > INT64_MAX)
        ppt = INT64_MAX;
    allan_add(&monitor->allan, less ? -(int64_t)ppt : (int64_t)ppt);
}

static void note_gap(struct monitor *monitor, uint64_t ns)
{
    monitor->gaps++;
    if (ns > monitor->longest_gap_ns)
        monitor->longest_gap_ns = ns;
}

static void note_step(struct monitor *monitor, const struct measurement *measurement,
                      const struct incident *incident)
{
    int64_t size = least_size(incident->low_cycles, incident->high_cycles);
    int64_t ns = (int64_t)to_ns(measurement, magnitude(size));

    monitor->steps++;
    if (size < 0 && incident->tsc_possible != (incident->clocks_possible != 0))
        monitor->monotonic = false;
    if (monitor->step_known && (uint64_t)ns <= magnitude(monitor->step_ns))
        return;
    monitor->step_known = true;
    monitor->step_ns = size < 0 ? -ns : ns;
    monitor->step = *incident;
}

// The TSC stepped over a time that looked like a gap.
static void drop_gap(struct measurement *measurement, const struct incident *incident)
{
    size_t kept = 0;

    for (size_t i = 0; i < measurement->gap_count && i < GAPS_MAX; i++) {
        const struct gap *gap = &measurement->gaps[i];
        if (gap->before_cycles <= incident->after_cycles ||
            gap->after_cycles >= incident->before_cycles)
            measurement->gaps[kept++] = *gap;
    }
    measurement->gap_count = kept;
}

static void tell_incident(const struct run *run, const struct incident *incident)
{
    struct monitor *monitor = run->monitor;
    struct measurement *measurement = run->measurement;

    if (incident->is_pause) {
        monitor->pauses++;
        // One that only the time of day shows.
        if (incident->is_jump)
            note_gap(monitor, to_ns(measurement, (uint64_t)incident->low_cycles));
    } else if (incident->is_step) {
        note_step(monitor, measurement, incident);
        monitor->unclear |= incident->wall_only && incident->tsc_possible;
        if (!monitor->grave.is_step && incident_is_grave(measurement, incident))
            monitor->grave = *incident;
        if (incident->tsc_possible)
            drop_gap(measurement, incident);
    } else {
        monitor->rate_changes++;
        begin_stretch(run);
    }
    for (size_t i = 0; incident->is_step && i < measurement->count; i++)
        drop_marks(monitor, measurement, &measurement->clocks[i]);
    // A step of a reference clock has nothing to do with them.
    if (incident->is_pause || !incident->is_step || incident->tsc_possible ||
        !incident->clocks_possible)
        monitor->reread = true;
    monitor->window_incidents++;
    run->listener->incident(measurement, incident, ++monitor->incidents);
    measure_keep(measurement);
}

// Tells the incidents that are sized, and keeps the one that is not.
static void tell_incidents(const struct run *run)
{
    struct measurement *measurement = run->measurement;
    size_t count = measurement->incident_count;

    if (count > INCIDENTS_MAX) {
        run->monitor->unlisted += count - INCIDENTS_MAX;
        count = measurement->incident_count = INCIDENTS_MAX;
    }
    bool told[INCIDENTS_MAX] = {false};
    for (size_t i = 0; i < count; i++) {
        const struct incident incident = measurement->incidents[i];
        // What is told takes time, in which new ones may come behind, and others be sized.
        told[i] = incident.sized;
        if (told[i])
            tell_incident(run, &incident);
    }
    size_t kept = 0;
    for (size_t i = 0; i < measurement->incident_count && i < INCIDENTS_MAX; i++) {
        if (told[i])
            continue;
        if (measurement->pending == i)
            measurement->pending = kept;
        measurement->incidents[kept++] = measurement->incidents[i];
    }
    measurement->incident_count = kept;
}

static void tell_gaps(const struct run *run)
{
    struct measurement *measurement = run->measurement;

    // A TSC that steps forward looks like one.
    while (measurement->gap_count && measurement->gaps[0].whole && !measurement->incident_count) {
        const struct gap gap = measurement->gaps[0];
        size_t kept = measurement->gap_count - 1;
        if (kept > GAPS_MAX - 1)
            kept = GAPS_MAX - 1;
        for (size_t i = 0; i < kept; i++)
            measurement->gaps[i] = measurement->gaps[i + 1];
        measurement->gap_count--;
        note_gap(run->monitor, to_ns(measurement, gap.before_cycles - gap.after_cycles));
        run->monitor->window_gaps++;
        run->monitor->reread = true;
        run->listener->gap(measurement, &gap);
        measure_keep(measurement);
    }
}

static void look(void *context)
{
    const struct run *run = context;

    tell_incidents(run);
    tell_gaps(run);
}

// Does what was proven before the last break contradict what was proven since?
static bool is_crossed(const struct measurement *measurement)
{
    for (size_t i = 0; i < measurement->count; i++) {
        const struct clock_run *run = &measurement->clocks[i];
        struct slope low, high;
        if (run->sampled && !run->stepped && track_enclosure(&run->track, &low, &high) &&
            slope_less(high, low))
            return true;
    }
    return false;
}

static const struct claim *find_again(const struct claim *claim, const struct claim *among,
                                      size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (among[i].clock == claim->clock && text_equal(among[i].source, claim->source))
            return &among[i];
    return NULL;
}

// After what may have been a migration: reads the claims again, and takes over what they say now.
static void reread(const struct run *run)
{
    static struct platform platform;
    static struct claim again[CLAIMS_MAX];
    struct measurement *measurement = run->measurement;
    bool changed = false;

    run->monitor->reread = false;
    measure_keep(measurement);
    size_t gaps = measurement->gap_count;
    // Some sources state what the scan has read. The log stays as it is.
    memcpy(&platform, run->platform, sizeof(platform));
    platform.cpuid = cpuid_log_none();
    scan_run(&platform.scan, &platform.cpuid, false, NULL);
    measure_keep(measurement);
    // In a slow guest the scan takes long, as it did at first: that is no gap.
    if (measurement->gap_count > gaps && gaps < GAPS_MAX &&
        measurement->gaps[gaps].before_cycles - measurement->gaps[gaps].after_cycles <
            SCANS_LONG * run->platform->scan_cycles)
        measurement->gap_count = gaps;
    size_t count = claims_collect(&platform, again, CLAIMS_MAX);
    measure_keep(measurement);
    for (size_t i = 0; i < run->claim_count; i++) {
        struct claim *claim = &run->claims[i];
        const struct claim *now = find_again(claim, again, count);
        if (!now || (now->present == claim->present && now->millihertz == claim->millihertz))
            continue;
        run->listener->reread(measurement, claim, now);
        measure_keep(measurement);
        *claim = *now;
        run->monitor->judged[i].known = false;
        changed = true;
    }
    if (!changed)
        run->listener->reread(measurement, NULL, NULL);
    measure_keep(measurement);
}

static struct monitor_window describe(struct monitor *monitor,
                                      const struct measurement *measurement)
{
    struct monitor_window window = {
        .number = measurement->window,
        .at_ns = measurement->window_at_ns,
        .window_ns = measurement->window_ns,
        .samples = measurement->samples - measurement->window_samples,
        .decided = measurement->decided,
        .rate = measurement->all,
        .incidents = monitor->window_incidents,
        .gaps = monitor->window_gaps,
    };

    for (size_t i = 0; i < measurement->count; i++)
        if (measurement->clocks[i].result == MEASUREMENT_ODD)
            window.odd |= 1u << i;
    if (window.decided && monitor->previous_known) {
        window.change_known = true;
        window.change_ppb = claim_judge(window.rate.estimate, 0, 0,
                                        (struct rate_interval){monitor->previous.estimate,
                                                               monitor->previous.estimate,
                                                               monitor->previous.estimate})
                                .error_ppb;
        window.apart =
            window.rate.low > monitor->previous.high || window.rate.high < monitor->previous.low;
    }
    monitor->previous_known = window.decided;
    monitor->previous = window.rate;
    monitor->window_incidents = monitor->window_gaps = 0;
    return window;
}

static void finish_window(const struct run *run)
{
    struct monitor *monitor = run->monitor;
    struct measurement *measurement = run->measurement;

    measure_conclude_slice(measurement);
    add_marks(monitor, measurement);
    add_to_allan(monitor, measurement);
    const struct monitor_window window = describe(monitor, measurement);
    if (window.decided) {
        widen_to(&monitor->window_hull, &window.rate, !monitor->window_hull_known);
        monitor->window_hull_known = true;
    }
    if (!measurement->window_ns) // nothing tells the rate
        measurement->window_ns = run->options->window_ns;
    monitor->windows++;
    run->listener->window(measurement, &window);
    measure_next(measurement);
    measure_conclude(measurement);
    uint64_t rate = measurement->tsc_millihertz, timing = measurement->timing_millihertz;
    if (measurement->decided && (rate > timing + timing / 1024 || rate < timing - timing / 1024))
        measure_time_by(measurement, run->options, rate);
    // While a break is not sized, what was proven before it is needed.
    if (measurement->pending == SIZE_MAX && is_crossed(measurement))
        begin_stretch(run);
    if (run->monitor->reread)
        reread(run);
}

static bool used_up(const struct run *run)
{
    uint64_t duration = run->options->duration_ns, window = run->options->window_ns;

    // A sixty-fourth of a window allows for the rate by which it was timed. Should the clocks tell
    // hardly any time, the number of windows ends it.
    return duration != DURATION_FOREVER &&
           (run->measurement->window_at_ns + window / 64 >= duration ||
            run->monitor->windows / 4 > duration / window);
}

void monitor_run(struct monitor *monitor, struct measurement *measurement,
                 const struct platform *platform, struct claim *claims, size_t claim_count,
                 const struct monitor_listener *listener)
{
    struct run run = {monitor, measurement, platform, &platform->options,
                      claims,  claim_count, listener};

    memset(monitor, 0, sizeof(*monitor));
    monitor->monotonic = true;
    if (!measure_begin(measurement, run.options))
        return;
    bool goes_on = true;
    while (goes_on) {
        goes_on = measure_slice(measurement, run.options, look, &run);
        finish_window(&run);
        goes_on = goes_on && !used_up(&run);
    }
    if (measurement->tsc_advances)
        measurement->stopped_by = "the duration was over";
    measure_end(measurement);
    for (size_t i = 0; i < measurement->gap_count && i < GAPS_MAX; i++)
        measurement->gaps[i].whole = true;
    look(&run);
    if (is_crossed(measurement))
        begin_stretch(&run);
    if (monitor->reread)
        reread(&run);
    for (size_t i = 0; i < measurement->count; i++)
        drop_marks(monitor, measurement, &measurement->clocks[i]);
    monitor->duration_ns = measurement->window_at_ns;
    put_aside(&run);
    // Where no stretch had time to tell a best value, any that is proven will do.
    monitor->rate.estimate = monitor->rate_ns
                                 ? wide_quotient(monitor->mean, monitor->rate_ns)
                                 : monitor->rate.low + (monitor->rate.high - monitor->rate.low) / 2;
    monitor->raw.estimate = monitor->rate.estimate;
}

void monitor_judgement(const struct monitor *monitor, size_t index, struct judgement *judgement,
                       const char **reason)
{
    if (!monitor->judged[index].known || (judgement->verdict != VERDICT_INCONCLUSIVE &&
                                          monitor->judged[index].judgement.verdict != VERDICT_OFF))
        return;
    *judgement = monitor->judged[index].judgement;
    *reason = "";
}
