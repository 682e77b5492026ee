// What was known of a rate at moments of a stream, so that it can be gone back to; in constant
// memory, however long the stream.
#pragma once

#include "lib/envelope.h"
#include "lib/types.h"

#define CHECKPOINTS_MAX 128

// What was known when all samples up to `cycles` had been taken.
struct checkpoint {
    uint64_t cycles;
    struct slope low, high;
};

struct checkpoints {
    struct checkpoint points[CHECKPOINTS_MAX];
    size_t count;
    size_t doubtful; // while `held`: those behind `count` may prove to be sound after all
    bool held;       // none is added
    uint64_t stride; // samples between two
};

// Forgets all; the next ones come `stride` samples apart, until there is no room.
void checkpoints_reset(struct checkpoints *checkpoints, uint64_t stride);

// Is one due after so many samples? If so, gives the place where to write it.
struct checkpoint *checkpoints_due(struct checkpoints *checkpoints, uint64_t samples);

// Gives the bounds of the last one that is not later than `cycles`, {0, 0} if there is none. The
// later ones are in doubt: they count again if it is called again with a later time. `settled`:
// that will not happen, and from now on new ones are added.
void checkpoints_return(struct checkpoints *checkpoints, uint64_t cycles, bool settled,
                        struct slope *low, struct slope *high);
