#include "lib/checkpoint.h"

void checkpoints_reset(struct checkpoints *checkpoints, uint64_t stride)
{
    checkpoints->count = 0;
    checkpoints->held = false;
    checkpoints->stride = stride;
}

struct checkpoint *checkpoints_due(struct checkpoints *checkpoints, uint64_t samples)
{
    if (checkpoints->held || samples % checkpoints->stride)
        return NULL;
    if (checkpoints->count == CHECKPOINTS_MAX) {
        // Full: keep every second one, so that the whole stream stays covered.
        for (size_t i = 0; i < CHECKPOINTS_MAX / 2; i++)
            checkpoints->points[i] = checkpoints->points[2 * i + 1];
        checkpoints->count = CHECKPOINTS_MAX / 2;
        checkpoints->stride *= 2;
    }
    return &checkpoints->points[checkpoints->count++];
}

void checkpoints_return(struct checkpoints *checkpoints, uint64_t cycles, bool settled,
                        struct slope *low, struct slope *high)
{
    size_t count = checkpoints->held ? checkpoints->doubtful : checkpoints->count;

    checkpoints->doubtful = count;
    checkpoints->held = !settled;
    while (count && checkpoints->points[count - 1].cycles > cycles)
        count--;
    checkpoints->count = count;
    *low = *high = (struct slope){0, 0};
    if (count) {
        *low = checkpoints->points[count - 1].low;
        *high = checkpoints->points[count - 1].high;
    }
}
