#include "lib/marks.h"

#include "lib/wide.h"

#define TRILLION 1000000000000u
#define PPT_MAX  1000000000000000

void marks_reset(struct marks *marks)
{
    marks->count = 0;
    marks->added = 0;
    marks->stride = 1;
}

void marks_add(struct marks *marks, const struct sample *sample)
{
    marks->last = *sample;
    if (marks->added++ % marks->stride)
        return;
    if (marks->count == MARKS_MAX) {
        // The one that comes is at an even place as well.
        for (size_t i = 0; i < MARKS_MAX / 2; i++)
            marks->kept[i] = marks->kept[2 * i];
        marks->count = MARKS_MAX / 2;
        marks->stride *= 2;
    }
    marks->kept[marks->count++] = *sample;
}

void marks_cut(struct marks *marks, uint64_t until)
{
    while (marks->count && marks->kept[marks->count - 1].after > until)
        marks->count--;
    if (marks->count && marks->last.after > until)
        marks->last = marks->kept[marks->count - 1];
}

// The mean slope from one reading to a later one: false where they overlap.
static bool mean(const struct sample *from, const struct sample *to, uint64_t step,
                 struct slope *low, struct slope *high)
{
    uint64_t ticks = to->ticks - from->ticks;

    if (to->before <= from->after || ticks <= step)
        return false;
    *low = (struct slope){ticks - step, to->after - from->before};
    *high = (struct slope){ticks + step, to->before - from->after};
    return true;
}

// a / b - 1 in parts per 10^12, rounded up or down.
static int64_t excess(struct slope a, struct slope b, bool up)
{
    uint128 over = (uint128)a.ticks * b.cycles;
    uint128 under = (uint128)a.cycles * b.ticks;

    // 80 bits are left: an error of far less than the one that is added.
    while ((over | under) >> 80) {
        over >>= 1;
        under >>= 1;
    }
    bool less = over < under;
    uint128 difference = less ? under - over : over - under;
    uint64_t ppt = wide_quotient(difference * TRILLION, under);
    int64_t size = ppt > PPT_MAX ? PPT_MAX : (int64_t)ppt;
    return (less ? -size : size) + (up ? 1 : -1);
}

bool marks_drift(const struct marks *marks, uint64_t step, struct drift *drift)
{
    struct slope first_low, first_high, second_low, second_high;

    if (marks->count < 3)
        return false;
    const struct sample *begin = &marks->kept[0], *middle = begin, *end = &marks->last;
    uint64_t half = (end->before - begin->before) / 2;
    for (size_t i = 1; i < marks->count && marks->kept[i].before - begin->before <= half; i++)
        middle = &marks->kept[i];
    if (!mean(begin, middle, step, &first_low, &first_high) ||
        !mean(middle, end, step, &second_low, &second_high))
        return false;
    // The TSC's rate is that of the clock divided by the slope.
    drift->low_ppt = excess(first_low, second_high, false);
    drift->high_ppt = excess(first_high, second_low, true);
    drift->cycles = half;
    return true;
}
