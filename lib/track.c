#include "lib/track.h"

#include "lib/wide.h"

void track_reset(struct track *track, const struct track_config *config)
{
    track->config = *config;
    track->samples = 0;
    track->segments = 0;
    track->low = (struct slope){0, 0};
    track->high = (struct slope){0, 0};
    narrow_reset(&track->head);
    histogram_reset(&track->widths);
    track->defect_millitick = 0;
    track->dropped = 0;
    track->open = false;
    track->last_before = 0;
    track->ticks = 0;
    track->whole_known = false;
    recall_reset(&track->recall);
    track->was_low = track->was_high = track->low;
    checkpoints_reset(&track->checkpoints, 64);
}

static void narrow(struct track *track, struct slope low, struct slope high)
{
    if (low.cycles && (!track->low.cycles || slope_less(track->low, low)))
        track->low = low;
    if (high.cycles && (!track->high.cycles || slope_less(high, track->high)))
        track->high = high;
}

static void open_segment(struct track *track, uint64_t began)
{
    envelope_reset(&track->envelope, track->config.step);
    track->segments++;
    track->open = true;
    track->began = began;
}

void track_close(struct track *track)
{
    if (track->open)
        narrow(track, track->envelope.low, track->envelope.high);
    track->open = false;
    track->whole_known = false;
    recall_reset(&track->recall);
    track->ticks = 0;
}

void track_break(struct track *track, uint64_t sound_until)
{
    track->open = false;
    checkpoints_return(&track->checkpoints, sound_until, false, &track->low, &track->high);
}

void track_settle(struct track *track, uint64_t sound_until)
{
    if (track->checkpoints.held)
        checkpoints_return(&track->checkpoints, sound_until, true, &track->low, &track->high);
}

void track_change(struct track *track)
{
    if (track->low.cycles && track->high.cycles) {
        if (!track->was_low.cycles || slope_less(track->low, track->was_low))
            track->was_low = track->low;
        if (!track->was_high.cycles || slope_less(track->was_high, track->high))
            track->was_high = track->high;
    }
    track_forget(track);
}

void track_forget(struct track *track)
{
    track->low = track->high = (struct slope){0, 0};
    checkpoints_reset(&track->checkpoints, track->checkpoints.stride);
}

// Could a wrap hide between the last reading and one that ends at `end`? Each may have happened
// anywhere in its bracket, so the time that counts is from the beginning of the one to the end of
// the other.
static bool gap(const struct track *track, uint64_t end)
{
    return end - track->last_before > track->config.gap_limit_cycles;
}

bool track_wants_whole(const struct track *track, uint64_t after)
{
    return !track->whole_known || gap(track, after + track->config.tsc_step);
}

enum track_event track_add(struct track *track, const struct reading *reading,
                           const uint64_t *whole)
{
    enum track_event event = TRACK_OK;
    uint64_t modulus = track->config.modulus;
    uint64_t raw = reading->raw % modulus;
    bool first = !recall_count(&track->recall);
    uint64_t whole_now = 0;
    struct sample sample = {reading->before, reading->after + track->config.tsc_step, 0};

    if (whole)
        whole_now = *whole - (*whole - raw) % modulus;
    if (!first) {
        uint64_t ticks = (raw + modulus - track->last_raw) % modulus;
        if (gap(track, sample.after)) {
            if (whole && track->whole_known && whole_now >= track->whole) {
                ticks = whole_now - track->whole;
            } else {
                track_close(track);
                event = TRACK_GAP;
                ticks = 0;
            }
        }
        track->ticks += ticks;
        track->whole += ticks;
    }
    if (whole) {
        track->whole = whole_now;
        track->whole_known = true;
    }
    if (!track->open)
        open_segment(track, sample.before);

    sample.ticks = track->ticks;
    track->last_raw = raw;
    track->last_before = sample.before;
    track->samples++;
    histogram_add(&track->widths, sample.after - sample.before);
    if (track->samples <= NARROW_AMONG)
        narrow_add(&track->head, &sample);
    enum fit fit = envelope_add(&track->envelope, &sample);
    recall_add(&track->recall, &sample, track->segments, track->envelope.high);
    if (fit == FIT_OK) {
        struct checkpoint *next = checkpoints_due(&track->checkpoints, track->samples);
        if (next) {
            next->cycles = sample.after;
            track_enclosure(track, &next->low, &next->high);
        }
        return event;
    }
    uint64_t defect = envelope_defect_millitick(&track->envelope);
    if (defect > track->defect_millitick)
        track->defect_millitick = defect;
    return TRACK_BROKEN;
}

// Walks back through the remembered samples of the last `segments` segments until they fit no line
// of a clock with this granularity. *after is where the sample that does not fit began; false if
// all fit.
static bool walk_back(const struct track *track, unsigned segments, uint64_t step, uint64_t *after)
{
    struct envelope backward;
    const struct sample *last = NULL;
    unsigned segment;

    // Both axes are mirrored at the last sample, which turns [ticks, ticks + step) into
    // (last - ticks - step, last - ticks].
    envelope_reset(&backward, step);
    for (size_t age = 0; age < recall_count(&track->recall); age++) {
        const struct sample *sample = recall_sample(&track->recall, age, &segment);
        if (track->segments - segment >= segments)
            return false;
        last = last ? last : sample;
        struct sample mirrored = {last->after - sample->after, last->after - sample->before,
                                  last->ticks - sample->ticks};
        *after = sample->before;
        if (envelope_add(&backward, &mirrored) == FIT_BROKEN)
            return true;
    }
    return false;
}

struct slope track_slope(const struct track *track)
{
    struct narrow tail;

    if (track->segments != 1 || track->samples < 2ull * NARROW_AMONG ||
        recall_count(&track->recall) < NARROW_AMONG)
        return (struct slope){0, 0};
    narrow_reset(&tail);
    for (size_t age = 0; age < NARROW_AMONG; age++) {
        unsigned segment;
        narrow_add(&tail, recall_sample(&track->recall, age, &segment));
    }
    return narrow_slope(&track->head, &tail);
}

void track_locate(const struct track *track, uint64_t *after)
{
    // If what is remembered fits one line, the break may lie anywhere in the segment.
    if (!walk_back(track, 1, track->config.step, after))
        *after = track->began;
}

void track_locate_again(const struct track *track, uint64_t *after)
{
    uint64_t found;

    if (track->open && walk_back(track, 2, track->config.step, &found) && found > *after)
        *after = found;
}

bool track_fits(const struct track *track, uint64_t step)
{
    uint64_t after;

    return !walk_back(track, ~0u, step, &after);
}

bool track_enclosure(const struct track *track, struct slope *low, struct slope *high)
{
    *low = track->low;
    *high = track->high;
    if (track->open) {
        const struct envelope *open = &track->envelope;
        if (open->low.cycles && (!low->cycles || slope_less(*low, open->low)))
            *low = open->low;
        if (open->high.cycles && (!high->cycles || slope_less(open->high, *high)))
            *high = open->high;
    }
    if (track->was_low.cycles && low->cycles && slope_less(track->was_low, *low))
        *low = track->was_low;
    if (track->was_high.cycles && high->cycles && slope_less(*high, track->was_high))
        *high = track->was_high;
    return low->cycles && high->cycles;
}

// Where a line stands at some time, in thousandths of a tick above the last sample's count.
struct heights {
    bool known;
    int64_t least, most;
};

// Beyond this a height is not computed: sums and differences of a few stay in range.
#define HEIGHT_MAX (INT64_MAX / 16)

// Takes a bound of a line's height from `from` cycles to `to`, if the slope is `ahead` on the way
// forward in time and `back` on the way back; rounded up or down. False where it gets out of range.
static bool carry(int64_t *height, uint64_t from, uint64_t to, struct slope ahead,
                  struct slope back, bool up)
{
    bool forward = from <= to;
    struct slope p = forward ? ahead : back;
    uint128 product = (uint128)(forward ? to - from : from - to) * p.ticks;
    uint64_t rise = forward == up ? wide_thousandths_up(product, p.cycles)
                                  : wide_thousandths(product, p.cycles);

    if (rise > HEIGHT_MAX)
        return false;
    *height += forward ? (int64_t)rise : -(int64_t)rise;
    return true;
}

// Narrows the heights at `at` of a line of slope low to high by what one sample leaves to it.
static void narrow_heights(struct heights *heights, const struct track *track,
                           const struct sample *sample, uint64_t at, struct slope low,
                           struct slope high)
{
    uint64_t down = track->ticks - sample->ticks;

    if (down > HEIGHT_MAX / 1000 || track->config.step > HEIGHT_MAX / 1000)
        return;
    int64_t least = -(int64_t)down * 1000;
    int64_t most = least + (int64_t)track->config.step * 1000;
    if (!carry(&least, sample->after, at, low, high, false) ||
        !carry(&most, sample->before, at, high, low, true))
        return;
    if (!heights->known || least > heights->least)
        heights->least = least;
    if (!heights->known || most < heights->most)
        heights->most = most;
    heights->known = true;
}

bool track_offset(const struct track *track, uint64_t until, uint64_t from, struct slope low,
                  struct slope high, int64_t *least, int64_t *most)
{
    struct heights before = {0}, after = {0};
    unsigned before_segment = 0;

    // From the oldest on: of the segments with samples before `until` only the last one counts,
    // since between it and an earlier one there was another break.
    for (size_t age = recall_count(&track->recall); age-- > 0;) {
        unsigned segment;
        const struct sample *sample = recall_sample(&track->recall, age, &segment);
        if (sample->after <= until) {
            if (segment != before_segment)
                before.known = false;
            before_segment = segment;
            narrow_heights(&before, track, sample, until, low, high);
        } else if (sample->before > from) {
            narrow_heights(&after, track, sample, until, low, high);
        }
    }
    if (!before.known || !after.known)
        return false;
    *least = after.least - before.most;
    *most = after.most - before.least;
    // A clock that steps back is unwrapped as one that almost went round.
    uint64_t modulus = track->config.modulus;
    if (modulus <= HEIGHT_MAX / 1000 && *least / 2 + *most / 2 > (int64_t)modulus * 500) {
        *least -= (int64_t)modulus * 1000;
        *most -= (int64_t)modulus * 1000;
    }
    return true;
}
