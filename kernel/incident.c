// Breaks: what it means when the readings of a clock fit no line.
//
// At a break the segments of all clocks are cut, since the TSC may be the cause and then all are
// affected. When enough readings have followed, the offset of every clock's line after the break
// against its line before is enclosed, and the hypotheses "the TSC stepped" and "clock k stepped"
// are tested against these intervals. docs/estimator.md has the reasoning.
#include "kernel/measure.h"

#include "lib/text.h"
#include "lib/wide.h"

// Rounds after a break before the offsets are taken: enough for narrow brackets on this side, few
// enough that those of the other side are still remembered.
#define ROUNDS_AFTER 192
// In a guest so slow that these take long, fewer will do with duration=: after this many times what
// is a gap, so that what happens next is told by itself.
#define ROUNDS_LEAST 16
#define GAPS_AFTER   10

static struct incident *add(struct measurement *measurement, uint64_t after, uint64_t before)
{
    static struct incident overflow;
    struct incident *incident = &overflow;

    if (measurement->incident_count < INCIDENTS_MAX)
        incident = &measurement->incidents[measurement->incident_count];
    memset(incident, 0, sizeof(*incident));
    incident->after_cycles = after;
    incident->before_cycles = incident->found_cycles = before;
    incident->window = measurement->window;
    incident->window_began = measurement->window_began;
    incident->window_at_ns = measurement->window_at_ns;
    measurement->incident_count++;
    return incident;
}

// Was nothing read for a while, where the break may be, or soon after? QEMU stops its clocks first
// and the guest after that, so a small break may come right before a large one, and until a clock
// is sized there is only one.
static void look_for_quiet(const struct measurement *measurement, struct incident *incident)
{
    uint64_t after = measurement->quiet_after, before = measurement->quiet_before;

    // A report that comes later has nothing to do with it.
    if (before <= incident->after_cycles || before == incident->quiet_before ||
        after > incident->found_cycles + measurement->gap_limit_cycles)
        return;
    incident->quiet_before = before;
    incident->gap_cycles += before - after;
    if (incident->before_cycles < before)
        incident->before_cycles = before;
}

static void cut(struct measurement *measurement, uint64_t sound_until)
{
    for (size_t i = 0; i < measurement->count; i++)
        if (measurement->clocks[i].sampled) {
            track_break(&measurement->clocks[i].track, sound_until);
            slice_break(&measurement->clocks[i].slice, sound_until);
        }
}

static void settle(struct measurement *measurement, uint64_t sound_until)
{
    for (size_t i = 0; i < measurement->count; i++)
        if (measurement->clocks[i].sampled) {
            track_settle(&measurement->clocks[i].track, sound_until);
            slice_settle(&measurement->clocks[i].slice, sound_until);
        }
}

// The break is to be sized when enough readings have followed, if there is room for it.
static void wait_for_more(struct measurement *measurement, uint64_t sound_until)
{
    if (measurement->incident_count > INCIDENTS_MAX) {
        settle(measurement, sound_until);
        return;
    }
    measurement->pending = measurement->incident_count - 1;
    measurement->pending_rounds = ROUNDS_AFTER;
}

// Thousandths of a tick in TSC cycles at slope p, rounded away from zero or towards it.
static int64_t cycles_of(int64_t milliticks, struct slope p, bool away)
{
    uint64_t size = milliticks < 0 ? -(uint64_t)milliticks : (uint64_t)milliticks;
    uint128 numerator = (uint128)size * p.cycles;
    uint128 denominator = (uint128)p.ticks * 1000;
    uint64_t cycles =
        away ? wide_quotient_up(numerator, denominator) : wide_quotient(numerator, denominator);

    if (cycles > INT64_MAX / 2)
        cycles = INT64_MAX / 2;
    return milliticks < 0 ? -(int64_t)cycles : (int64_t)cycles;
}

// A counter that goes round knows its offset only up to its range. If the TSC stood still for long,
// as in a paused guest, the offset of a short counter is off by whole ranges: it has no say then.
static void drop_ambiguous(const struct measurement *measurement, struct incident *incident)
{
    uint64_t largest = 0;

    for (size_t i = 0; i < measurement->count; i++) {
        int64_t least = incident->offsets[i].least_cycles;
        uint64_t size = least < 0 ? -(uint64_t)least : (uint64_t)least;
        if (size > largest)
            largest = size;
    }
    for (size_t i = 0; i < measurement->count; i++) {
        const struct clock_run *run = &measurement->clocks[i];
        if (incident->offsets[i].known && !run->info.sticks && run->probe_high.ticks &&
            largest >= rate_cycles_of_ticks(run->info.modulus / 2, run->probe_high))
            incident->offsets[i].known = false;
    }
}

// What the rate lies in before the break and after it, by what is proven on either side. False if
// one is not known.
static bool both_rates(const struct track *track, struct slope *low, struct slope *high)
{
    const struct envelope *after = &track->envelope;

    if (!track->open || !track->low.cycles || !track->high.cycles || !envelope_bounded(after))
        return false;
    *low = slope_less(after->low, track->low) ? after->low : track->low;
    *high = slope_less(track->high, after->high) ? after->high : track->high;
    return true;
}

// Notes the clocks for which no rate fits before and after the break.
static void look_for_changes(const struct measurement *measurement, struct incident *incident)
{
    struct slope low, high;

    for (size_t i = 0; i < measurement->count; i++) {
        const struct clock_run *run = &measurement->clocks[i];
        if (run->sampled && both_rates(&run->track, &low, &high) &&
            track_enclosure(&run->track, &low, &high) && slope_less(high, low))
            incident->changed |= 1u << i;
    }
}

// Encloses every clock's offset, if its rate is the same on both sides, or, with `either`, whatever
// is proven of it on either side.
static void enclose_offsets(const struct measurement *measurement, struct incident *incident,
                            bool either)
{
    for (size_t i = 0; i < measurement->count; i++) {
        const struct clock_run *run = &measurement->clocks[i];
        struct slope low, high;
        int64_t least, most;
        incident->offsets[i].known = false;
        // A clock that is computed from the TSC steps along with it.
        if (!run->sampled || text_equal(run->info.independence, CLOCK_DERIVED))
            continue;
        // The rate proven elsewhere in the window; without one the examination's will do.
        if (!(either && both_rates(&run->track, &low, &high)) &&
            (!track_enclosure(&run->track, &low, &high) || slope_less(high, low))) {
            low = run->probe_low;
            high = run->probe_high;
            if (!low.ticks || !high.ticks)
                continue;
        }
        if (!track_offset(&run->track, incident->after_cycles, incident->before_cycles, low, high,
                          &least, &most))
            continue;
        // Outwards: the smaller slope makes more cycles of a tick.
        incident->offsets[i].known = true;
        incident->offsets[i].least_cycles = cycles_of(least, least < 0 ? low : high, least < 0);
        incident->offsets[i].most_cycles = cycles_of(most, most < 0 ? high : low, most > 0);
    }
    drop_ambiguous(measurement, incident);
}

static bool contains_zero(const struct incident *incident, size_t i)
{
    return !incident->offsets[i].known ||
           (incident->offsets[i].least_cycles <= 0 && incident->offsets[i].most_cycles >= 0);
}

// The TSC went back, so nothing is left to attribute. Window time stood still over the step: in
// window time the TSC lost only what had really passed between the two readings.
static void size_backwards(struct incident *incident, int64_t tsc_low, int64_t tsc_high)
{
    incident->is_step = true;
    incident->tsc_possible = true;
    incident->clocks_possible = 0;
    if (tsc_high > 0)
        tsc_high = 0;
    if (tsc_low == INT64_MIN || tsc_low > tsc_high)
        tsc_low = tsc_high;
    incident->low_cycles = tsc_low - (int64_t)incident->back_cycles;
    incident->high_cycles = tsc_high - (int64_t)incident->back_cycles;
}

// Tests the hypotheses against the offsets of these clocks.
static void attribute_among(struct incident *incident, unsigned clocks)
{
    // A TSC that steps forward by D moves every clock's line down by D.
    int64_t tsc_low = INT64_MIN, tsc_high = INT64_MAX;
    unsigned moved = 0;

    for (size_t i = 0; i < CLOCKS_MAX; i++) {
        if (!(clocks >> i & 1) || !incident->offsets[i].known)
            continue;
        if (-incident->offsets[i].most_cycles > tsc_low)
            tsc_low = -incident->offsets[i].most_cycles;
        if (-incident->offsets[i].least_cycles < tsc_high)
            tsc_high = -incident->offsets[i].least_cycles;
        if (!contains_zero(incident, i))
            moved |= 1u << i;
    }
    incident->clocks_possible = 0;
    if (incident->back_cycles) {
        size_backwards(incident, tsc_low, tsc_high);
        return;
    }
    incident->is_step = moved != 0;
    incident->tsc_possible = moved && tsc_low <= tsc_high;
    // One clock alone can be the cause only if no other moved.
    if (moved && (moved & (moved - 1)) == 0)
        incident->clocks_possible = moved;
    if (incident->tsc_possible) {
        incident->low_cycles = tsc_low;
        incident->high_cycles = tsc_high;
    } else if (incident->clocks_possible) {
        size_t i = (size_t)__builtin_ctz(incident->clocks_possible);
        incident->low_cycles = incident->offsets[i].least_cycles;
        incident->high_cycles = incident->offsets[i].most_cycles;
    }
}

// The clock is coarser than its examination showed: it starts again, with twice the granularity.
static void coarsen(struct clock_run *run)
{
    struct track_config config = run->track.config;

    run->status = CLOCK_COARSE;
    run->step_ticks = config.step = 2 * config.step;
    text_print(run->reason, sizeof(run->reason),
               "it moves in steps of up to %llu ticks, as the window showed",
               (unsigned long long)run->step_ticks);
    track_reset(&run->track, &config);
    slice_reset(&run->slice, config.step);
    run->first_cycles = UINT64_MAX;
}

// A coarse clock that contradicts itself by less than its granularity.
static bool is_coarser(const struct clock_run *run)
{
    return run->status == CLOCK_COARSE && run->track.defect_millitick / 1000 < run->step_ticks;
}

// The granularity is known by experiment only. A break that one clock alone shows, and that one
// more step of its count explains, is not proven to be more than that. Without another clock there
// is nothing to bear witness for its line.
static bool turned_out_coarse(struct measurement *measurement, const struct incident *incident)
{
    struct clock_run *run = &measurement->clocks[incident->first];
    unsigned own = 1u << incident->first;
    size_t witnesses = 0;

    for (size_t i = 0; i < measurement->count; i++) {
        if (i == incident->first || !incident->offsets[i].known)
            continue;
        if (!contains_zero(incident, i))
            return false;
        witnesses += !measurement->clocks[i].info.slow;
    }
    if (!witnesses || measurement->incident_count > INCIDENTS_MAX || incident->back_cycles ||
        (incident->seen | incident->changed) & ~own || run->info.slow ||
        !track_fits(&run->track, 2 * run->step_ticks))
        return false;
    coarsen(run);
    return true;
}

static void take_offsets(struct measurement *measurement)
{
    size_t pending = measurement->pending;
    struct incident *incident = &measurement->incidents[pending];

    measurement->pending = SIZE_MAX;
    // What has been read since may tell the time of the break more precisely.
    if (!incident->back_cycles && !incident->merged)
        track_locate_again(&measurement->clocks[incident->first].track, &incident->after_cycles);
    settle(measurement, incident->after_cycles);
    look_for_changes(measurement, incident);
    // What a change of rate explains as well is no proven step.
    struct incident other = *incident;
    enclose_offsets(measurement, &other, true);
    attribute_among(&other, ~0u);
    if (!incident->changed && (other.is_step || other.back_cycles)) {
        enclose_offsets(measurement, incident, false);
    } else {
        *incident = other;
    }
    if (turned_out_coarse(measurement, incident)) {
        measurement->incident_count--;
        for (size_t i = pending; i < measurement->incident_count; i++)
            measurement->incidents[i] = measurement->incidents[i + 1];
        return;
    }
    incident_attribute(measurement, incident);
    if (!incident->is_step && !measurement->repeats)
        for (size_t i = 0; i < measurement->count; i++)
            if (measurement->clocks[i].sampled)
                track_change(&measurement->clocks[i].track);
}

void incident_open(struct measurement *measurement, size_t index, uint64_t cycles)
{
    uint64_t after;

    if (is_coarser(&measurement->clocks[index])) {
        coarsen(&measurement->clocks[index]);
        return;
    }
    track_locate(&measurement->clocks[index].track, &after);
    if (measurement->pending != SIZE_MAX) {
        // One break is seen by one clock after the other: the same incident.
        struct incident *incident = &measurement->incidents[measurement->pending];
        incident->seen |= 1u << index;
        incident->merged = true;
        if (incident->before_cycles < cycles)
            incident->before_cycles = cycles;
        incident->found_cycles = cycles;
        look_for_quiet(measurement, incident);
        cut(measurement, incident->after_cycles);
        return;
    }
    struct incident *incident = add(measurement, after, cycles);
    incident->seen = 1u << index;
    incident->first = index;
    look_for_quiet(measurement, incident);
    cut(measurement, after);
    wait_for_more(measurement, after);
}

void incident_jump(struct measurement *measurement, size_t index)
{
    const struct clock_run *run = &measurement->clocks[index];
    struct incident *incident = add(measurement, run->from.until, run->jumped_until);

    // The other clocks keep their segments: they would show it if the TSC had stepped.
    incident->seen = 1u << index;
    incident->is_jump = true;
    incident->low_cycles = run->ahead_low;
    incident->high_cycles = run->ahead_high;
    incident_attribute(measurement, incident);
}

void incident_backwards(struct measurement *measurement, uint64_t at, uint64_t cycles)
{
    if (measurement->pending != SIZE_MAX)
        take_offsets(measurement);
    struct incident *incident = add(measurement, at, at);

    incident->back_cycles = cycles;
    cut(measurement, at);
    wait_for_more(measurement, at);
}

static bool takes_long(const struct measurement *measurement)
{
    uint64_t since = measurement->incidents[measurement->pending].found_cycles;

    return measurement->repeats && measurement->pending_rounds < ROUNDS_AFTER - ROUNDS_LEAST &&
           measurement->last_tsc - measurement->base >
               since + GAPS_AFTER * measurement->gap_limit_cycles;
}

void incident_round(struct measurement *measurement)
{
    if (measurement->pending != SIZE_MAX) {
        look_for_quiet(measurement, &measurement->incidents[measurement->pending]);
        if (measurement->pending_rounds-- == 0 || takes_long(measurement))
            take_offsets(measurement);
    }
    incident_forgo(measurement, measurement->last_tsc - measurement->base);
}

void incident_attribute(struct measurement *measurement, struct incident *incident)
{
    unsigned walls = 0, ahead = 0;

    for (size_t i = 0; i < measurement->count; i++) {
        if (!text_equal(measurement->clocks[i].info.independence, CLOCK_WALL))
            continue;
        walls |= 1u << i;
        if (incident->offsets[i].known && incident->offsets[i].least_cycles > 0)
            ahead |= 1u << i;
    }
    incident->sized = true;
    if (incident->is_jump) {
        incident->is_step = true;
        incident->clocks_possible = incident->seen;
    } else {
        attribute_among(incident, ~0u);
        // The time of day that ran on while the machine stood still has nothing to do with what
        // else stepped then, and is told when its next tick shows it.
        if (incident->is_step && !incident_suspects(incident) && ahead)
            attribute_among(incident, ~ahead);
    }
    incident->wall_only =
        incident->is_step && incident->clocks_possible && !(incident->clocks_possible & ~walls);
    incident->is_pause = incident_is_pause(measurement, incident);
    if (incident_needs_witness(measurement, incident))
        return;
    if (incident->is_step && !incident->is_pause && !incident->tsc_possible &&
        incident->clocks_possible)
        measurement->clocks[__builtin_ctz(incident->clocks_possible)].stepped = true;
}

// The rates on both sides of the only break, which was no step: at the end of the window the one
// after it is known better than when the break was sized.
static void compare_rates(const struct measurement *measurement, struct incident *incident)
{
    for (size_t i = 0; i < measurement->count; i++) {
        const struct clock_run *run = &measurement->clocks[i];
        const struct track *track = &run->track;
        if (run->sampled && track->open && track->was_low.cycles && track->was_high.cycles &&
            envelope_bounded(&track->envelope) &&
            !text_equal(run->info.independence, CLOCK_DERIVED) &&
            (slope_less(track->envelope.high, track->was_low) ||
             slope_less(track->was_high, track->envelope.low)))
            incident->changed |= 1u << i;
    }
}

void incident_conclude(struct measurement *measurement)
{
    if (measurement->pending != SIZE_MAX)
        take_offsets(measurement);
    for (size_t i = 0; i < measurement->count; i++)
        if (measurement->clocks[i].sampled && measurement->clocks[i].jumped)
            incident_jump(measurement, i);
    incident_forgo(measurement, UINT64_MAX);
    if (!measurement->repeats && measurement->incident_count == 1 &&
        !measurement->incidents[0].is_step)
        compare_rates(measurement, &measurement->incidents[0]);
}
