#include "lib/narrow.h"

static uint64_t width(const struct sample *sample)
{
    return sample->after - sample->before;
}

void narrow_reset(struct narrow *narrow)
{
    narrow->count = 0;
    narrow->widest = 0;
}

void narrow_add(struct narrow *narrow, const struct sample *sample)
{
    if (narrow->count < NARROW_KEPT)
        narrow->samples[narrow->count++] = *sample;
    else if (width(sample) < width(&narrow->samples[narrow->widest]))
        narrow->samples[narrow->widest] = *sample;
    else
        return;
    narrow->widest = 0;
    for (size_t i = 1; i < narrow->count; i++)
        if (width(&narrow->samples[i]) > width(&narrow->samples[narrow->widest]))
            narrow->widest = i;
}

// Sums over the samples kept, relative to `origin` so that they stay small: of twice the middle of
// the bracket, and of twice the ticks.
static void add_up(const struct narrow *narrow, const struct sample *origin, uint64_t *cycles,
                   uint64_t *ticks)
{
    *cycles = *ticks = 0;
    for (size_t i = 0; i < narrow->count; i++) {
        const struct sample *sample = &narrow->samples[i];
        *cycles += sample->before - origin->before + sample->after - origin->before;
        *ticks += 2 * (sample->ticks - origin->ticks);
    }
}

struct slope narrow_slope(const struct narrow *first, const struct narrow *last)
{
    uint64_t first_cycles, first_ticks, last_cycles, last_ticks;

    if (first->count < NARROW_KEPT || last->count < NARROW_KEPT)
        return (struct slope){0, 0};
    // Unsigned differences: samples before the origin wrap, and their sums wrap back.
    add_up(first, &first->samples[0], &first_cycles, &first_ticks);
    add_up(last, &first->samples[0], &last_cycles, &last_ticks);
    uint64_t cycles = last_cycles - first_cycles;
    uint64_t ticks = last_ticks - first_ticks;
    if (cycles >> 63 || ticks >> 63 || !cycles || !ticks)
        return (struct slope){0, 0};
    return (struct slope){ticks, cycles};
}
