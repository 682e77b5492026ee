#include "lib/recall.h"

void recall_reset(struct recall *recall)
{
    recall->recent_next = 0;
    recall->recent_count = 0;
    recall->block_count = 0;
}

// How much higher the point (cycles, ticks) lies than the point (than_cycles, than_ticks), relative
// to a line of slope p; scaled.
static int128 above(uint64_t cycles, uint64_t ticks, uint64_t than_cycles, uint64_t than_ticks,
                    struct slope p)
{
    return (int128)(int64_t)(ticks - than_ticks) * (int64_t)p.cycles -
           (int128)(int64_t)(cycles - than_cycles) * (int64_t)p.ticks;
}

// Takes over what of `other` binds more than what `block` has.
static void merge(struct recall_block *block, const struct recall_block *other, struct slope p)
{
    const struct sample *floor = &block->floor, *ceiling = &block->ceiling;

    if (above(other->floor.after, other->floor.ticks, floor->after, floor->ticks, p) > 0)
        block->floor = other->floor;
    if (above(other->ceiling.before, other->ceiling.ticks, ceiling->before, ceiling->ticks, p) < 0)
        block->ceiling = other->ceiling;
}

// A sample leaves the ring.
static void retire(struct recall *recall, const struct sample *sample, unsigned segment,
                   struct slope p)
{
    const struct recall_block alone = {*sample, *sample};

    if (!recall->block_count || recall->block_segment != segment) {
        recall->block_segment = segment;
        recall->block_size = 1;
        recall->block_count = 0;
    } else if (recall->filled < recall->block_size) {
        recall->filled++;
        merge(&recall->blocks[recall->block_count - 1], &alone, p);
        return;
    } else if (recall->block_count == RECALL_BLOCKS) {
        for (size_t i = 0; i < RECALL_BLOCKS / 2; i++) {
            recall->blocks[i] = recall->blocks[2 * i];
            merge(&recall->blocks[i], &recall->blocks[2 * i + 1], p);
        }
        recall->block_count = RECALL_BLOCKS / 2;
        recall->block_size *= 2;
    }
    recall->blocks[recall->block_count++] = alone;
    recall->filled = 1;
}

void recall_add(struct recall *recall, const struct sample *sample, unsigned segment,
                struct slope p)
{
    size_t next = recall->recent_next;

    if (recall->recent_count == RECALL_RECENT)
        retire(recall, &recall->recent[next], recall->recent_segments[next], p);
    else
        recall->recent_count++;
    recall->recent[next] = *sample;
    recall->recent_segments[next] = segment;
    recall->recent_next = (next + 1) % RECALL_RECENT;
}

size_t recall_count(const struct recall *recall)
{
    return recall->recent_count + 2 * recall->block_count;
}

const struct sample *recall_sample(const struct recall *recall, size_t age, unsigned *segment)
{
    if (age < recall->recent_count) {
        size_t i = (recall->recent_next + 2 * (size_t)RECALL_RECENT - 1 - age) % RECALL_RECENT;
        *segment = recall->recent_segments[i];
        return &recall->recent[i];
    }
    age -= recall->recent_count;
    const struct recall_block *block = &recall->blocks[recall->block_count - 1 - age / 2];
    bool floor_first = block->floor.before < block->ceiling.before;
    *segment = recall->block_segment;
    return floor_first == (age % 2 == 1) ? &block->floor : &block->ceiling;
}
