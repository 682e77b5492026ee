// What is remembered of a stream of samples: each of the last ones, and of the older ones those
// that bind a line most, two out of a block of them. The blocks grow with the stream, so memory is
// constant.
#pragma once

#include "lib/envelope.h"
#include "lib/types.h"

#define RECALL_RECENT 512 // samples
#define RECALL_BLOCKS 128

// Two samples of a stretch: the one whose floor point lies highest, relative to a line of the
// stream's slope, and the one whose ceiling point lies lowest. May be the same.
struct recall_block {
    struct sample floor, ceiling;
};

struct recall {
    struct sample recent[RECALL_RECENT]; // a ring
    unsigned recent_segments[RECALL_RECENT];
    size_t recent_next, recent_count;
    struct recall_block blocks[RECALL_BLOCKS]; // oldest first, the last one being filled
    size_t block_count;
    unsigned block_segment; // that all blocks belong to
    uint64_t block_size;    // samples in a full one
    uint64_t filled;        // samples in the last one
};

void recall_reset(struct recall *recall);

// Remembers a sample; times and ticks must not decrease. `segment` is any number that changes where
// the stream is cut: of what is older than the ring, only the youngest segment is remembered. `p`
// is about the slope of the stream; it only has a say in what is forgotten.
void recall_add(struct recall *recall, const struct sample *sample, unsigned segment,
                struct slope p);

// How many samples are remembered (one may count twice), and the `age`-th youngest of them, 0 being
// the last one, with its segment.
size_t recall_count(const struct recall *recall);
const struct sample *recall_sample(const struct recall *recall, size_t age, unsigned *segment);
