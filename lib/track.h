// The stream of readings of one clock: unwrapped, cut into segments, enclosed.
//
// A segment is a run of readings that certainly belong to one line: no wrap of the counter could
// hide between two of them, and they were not found to contradict each other. The rate is enclosed
// in every segment for itself; the enclosures of all segments hold together.
//
// Time in here is the caller's cycle count: TSC cycles since the window began, never decreasing.
#pragma once

#include "lib/checkpoint.h"
#include "lib/envelope.h"
#include "lib/histogram.h"
#include "lib/narrow.h"
#include "lib/recall.h"
#include "lib/types.h"

struct track_config {
    uint64_t modulus; // raw counts lie in [0, modulus)
    uint64_t step;    // granularity in ticks, at least 1
    // A longer gap could hide a wrap. UINT64_MAX: the clock does not wrap.
    uint64_t gap_limit_cycles;
    uint64_t tsc_step; // granularity of the TSC in cycles, at least 1
};

struct track {
    struct track_config config;
    uint64_t samples;
    struct slope low, high;    // from the closed segments
    struct histogram widths;   // bracket widths in cycles, the TSC's step included
    uint64_t defect_millitick; // the largest contradiction met
    uint64_t dropped;          // readings that could not be used

    struct envelope envelope; // of the open segment
    unsigned segments;
    bool open;        // the last segment has a sample, and was not ended
    bool whole_known; // `whole` is the full count of the last sample
    uint64_t began;   // when the last segment's first reading began
    uint64_t last_raw, last_before;
    uint64_t ticks; // unwrapped count of the last sample
    uint64_t whole;

    struct narrow head;             // the narrowest of the stream's first readings
    struct recall recall;           // ticks continue across a break, not across a gap
    struct checkpoints checkpoints; // of the rate, from all segments
    struct slope was_low, was_high; // what the rate was before it changed, by track_change
};

struct reading {
    uint64_t before, after; // cycles
    uint64_t raw;
};

enum track_event {
    TRACK_OK,
    TRACK_GAP,    // too long since the last reading: a new segment began with this one
    TRACK_BROKEN, // this reading contradicts the segment: call track_locate, then track_break
};

// No reading yet, of a clock that is as `config` says.
void track_reset(struct track *track, const struct track_config *config);

// Does the next reading, which ended at `after`, need the clock's whole count (for clocks that have
// more bits than a reading)? True at the start of a segment and after a gap.
bool track_wants_whole(const struct track *track, uint64_t after);

// Adds a reading. `whole` is the clock's whole count read after it, within less than `modulus`
// ticks, or NULL: with it a gap needs no new segment.
enum track_event track_add(struct track *track, const struct reading *reading,
                           const uint64_t *whole);

// After TRACK_BROKEN, before track_break: the latest stretch of time in which the break can lie, if
// there is only one. It begins with a sample that already contradicts the readings after it and
// ends with the reading that was added last; *after is the beginning of the stretch. Where what is
// still remembered holds no such sample, that is the beginning of the segment.
void track_locate(const struct track *track, uint64_t *after);

// After track_break and some more readings without another break: moves *after, as track_locate
// gave it, to a later time if the readings since tell so.
void track_locate_again(const struct track *track, uint64_t *after);

// After a break and more readings: would a clock that counts in steps of so many ticks explain all
// that is remembered of both sides?
bool track_fits(const struct track *track, uint64_t step);

// Ends the open segment because of a break somewhere after `sound_until` cycles: what was proven
// with the samples before that holds, all the rest is forgotten, that of segments closed since
// included. The next reading opens a new segment, with the count running on.
void track_break(struct track *track, uint64_t sound_until);

// Once it is known better where the break was, in the segment that began since: what was proven
// until then holds as well. Until this was called, later breaks do not find the rate that is proven
// after this one.
void track_settle(struct track *track, uint64_t sound_until);

// The rate may be another one since the last break: from now on track_enclosure gives an interval
// that holds both.
void track_change(struct track *track);

// Ends the open segment because the clock was restarted: nothing is wrong with its samples.
void track_close(struct track *track);

// Forgets what the segments before the open one proved: since then the rate is another one.
void track_forget(struct track *track);

// The enclosure of all segments together, the open one included, and widened by what the rate was
// before track_change; false while one bound is missing.
bool track_enclosure(const struct track *track, struct slope *low, struct slope *high);

// The best single slope, from the narrowest brackets at both ends (lib/narrow.h); {0, 0} while the
// stream is too short for two ends, or not one segment.
struct slope track_slope(const struct track *track);

// How far the clock's line in the last segment, after `from` cycles, stands above its line before
// `until`, in thousandths of a tick, if its rate lies in [low, high]: *least <= offset <= *most.
// Call it before the next break. `until` is where track_locate put the break and `from` the end of
// the reading that broke, which may be another clock's. Uses the remembered samples; false if there
// are none on one side. A clock that steps back is unwrapped as one that went round, so the offset
// is known up to the modulus only: it is taken to be less than half of that.
bool track_offset(const struct track *track, uint64_t until, uint64_t from, struct slope low,
                  struct slope high, int64_t *least, int64_t *most);
