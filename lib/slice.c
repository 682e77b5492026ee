#include "lib/slice.h"

void slice_reset(struct slice *slice, uint64_t step)
{
    slice->step = step;
    slice->open = false;
    narrow_reset(&slice->head);
    slice->mark_known = slice->unbroken = false;
    slice_begin(slice);
}

void slice_begin(struct slice *slice)
{
    slice->low = slice->high = (struct slope){0, 0};
    slice->samples = 0;
    slice->segments = 0;
    slice->began = slice->ended = 0;
    checkpoints_reset(&slice->checkpoints, 8);
    if (!slice->open)
        return;
    slice->open = false;
    slice_add(slice, &slice->last);
}

void slice_add(struct slice *slice, const struct sample *sample)
{
    if (!slice->open) {
        envelope_reset(&slice->envelope, slice->step);
        slice->open = true;
        slice->segments++;
    }
    if (!slice->samples++)
        slice->began = sample->before;
    slice->ended = sample->after;
    slice->last = *sample;
    envelope_add(&slice->envelope, sample);
    struct checkpoint *next = checkpoints_due(&slice->checkpoints, slice->samples);
    if (next) {
        next->cycles = sample->after;
        slice_enclosure(slice, &next->low, &next->high);
    }
}

bool slice_enclosure(const struct slice *slice, struct slope *low, struct slope *high)
{
    *low = slice->low;
    *high = slice->high;
    if (slice->open) {
        const struct envelope *open = &slice->envelope;
        if (open->low.cycles && (!low->cycles || slope_less(*low, open->low)))
            *low = open->low;
        if (open->high.cycles && (!high->cycles || slope_less(open->high, *high)))
            *high = open->high;
    }
    return low->cycles && high->cycles;
}

static void close(struct slice *slice)
{
    slice->open = false;
    slice->head.count = 0;
}

void slice_cut(struct slice *slice)
{
    slice_enclosure(slice, &slice->low, &slice->high);
    close(slice);
    slice->unbroken = false;
}

void slice_break(struct slice *slice, uint64_t sound_until)
{
    checkpoints_return(&slice->checkpoints, sound_until, false, &slice->low, &slice->high);
    close(slice);
}

void slice_settle(struct slice *slice, uint64_t sound_until)
{
    // In a window that began since the break, there is nothing in doubt.
    if (slice->checkpoints.held)
        checkpoints_return(&slice->checkpoints, sound_until, true, &slice->low, &slice->high);
}

void slice_forget(struct slice *slice)
{
    slice->low = slice->high = (struct slope){0, 0};
    checkpoints_reset(&slice->checkpoints, slice->checkpoints.stride);
}

void slice_end(struct slice *slice, const struct recall *recall, unsigned segment)
{
    struct narrow tail;
    // At most the last quarter, so that the two ends of a window are apart.
    uint64_t among = slice->open ? slice->envelope.samples / 4 : 0;

    narrow_reset(&tail);
    if (among > NARROW_AMONG)
        among = NARROW_AMONG;
    for (size_t age = 0; age < among && age < recall_count(recall); age++) {
        unsigned of;
        const struct sample *sample = recall_sample(recall, age, &of);
        if (of == segment)
            narrow_add(&tail, sample);
    }
    slice->slope = narrow_slope(&slice->head, &tail);
    slice->head = tail;
    slice->linked = slice->unbroken && tail.count;
    slice->mark_known = slice->unbroken = tail.count != 0;
    for (size_t i = 0; i < tail.count; i++)
        if (i == 0 ||
            tail.samples[i].after - tail.samples[i].before < slice->mark.after - slice->mark.before)
            slice->mark = tail.samples[i];
}
