// One window out of a stream that goes on: enclosed by itself, whatever came before it.
//
// The windows of a monitor follow one another without a gap: the last reading of one is the first
// of the next. lib/track.h sees the whole stream, a slice what of it lies in the current window.
#pragma once

#include "lib/checkpoint.h"
#include "lib/envelope.h"
#include "lib/narrow.h"
#include "lib/recall.h"
#include "lib/types.h"

struct slice {
    uint64_t step;                  // granularity of the clock in ticks
    struct envelope envelope;       // of the open segment
    struct slope low, high;         // from the segments of this window that ended
    struct checkpoints checkpoints; // of this window
    bool open;                      // a line may be drawn from `last` to the next sample
    struct sample last;
    uint64_t began, ended; // of this window: when its first reading began, and its last one ended
    uint64_t samples;      // in this window
    unsigned segments;

    struct narrow head; // the narrowest readings at the end of the window before
    struct slope slope; // after slice_end: from there to the end of this window, {0, 0}: not known
    bool mark_known;    // after slice_end:
    struct sample mark; // the narrowest reading at the end of this window
    bool unbroken;      // the count has gone on since the mark
    bool linked;        // after slice_end: it had gone on from the mark before to this one
};

// The stream begins, or begins again. No sample is known.
void slice_reset(struct slice *slice, uint64_t step);

// A window begins, with the last sample of the one before where that is on one line with it.
void slice_begin(struct slice *slice);

// Adds a sample; its ticks continue those of the last one unless slice_cut or slice_break came
// between them.
void slice_add(struct slice *slice, const struct sample *sample);

// What follows cannot be on one line with what came before, in which nothing is wrong.
void slice_cut(struct slice *slice);

// Something after `sound_until` fits no line: what this window has shown since then is forgotten.
void slice_break(struct slice *slice, uint64_t sound_until);

// As track_settle.
void slice_settle(struct slice *slice, uint64_t sound_until);

// Forgets what the segments before the open one proved: since then the rate is another one.
void slice_forget(struct slice *slice);

// The window ends. `recall` holds the stream's last samples, `segment` is the number of its last
// segment there.
void slice_end(struct slice *slice, const struct recall *recall, unsigned segment);

// The enclosure of this window; false while one bound is missing.
bool slice_enclosure(const struct slice *slice, struct slope *low, struct slope *high);
