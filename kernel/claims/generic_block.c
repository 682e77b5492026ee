// The first leaf of a block whose signature begins with "Generic", laid out like leaf 0x40000010.
// No hypervisor that we know of has such a block; docs/scan.md says where the idea comes from.
#include "kernel/claims/claims.h"

#include "lib/text.h"

#define GENERIC_SOURCE "generic-block"
#define GENERIC_MAX    4 // blocks that are judged; more than one is odd already

static void judge_block(const struct scan *scan, const struct block *block, struct claim out[2])
{
    char answer[SCAN_ANSWER_SIZE], refused[sizeof(out->reason)] = "", rests_on[32];
    uint32_t leaf = block->base + 1;
    enum cpuid_answer kind = scan_answer_within(scan, block, block->next);

    text_print(rests_on, sizeof(rests_on), "leaf 0x%08x", leaf);
    if (!block->next_read)
        text_print(refused, sizeof(refused), "max leaf 0x%08x is below 0x%08x", block->max_leaf,
                   leaf);
    else if (kind != ANSWER_DATA && kind != ANSWER_ZEROS)
        text_print(refused, sizeof(refused), "leaf 0x%08x is in range, but %s", leaf,
                   scan_answer_text(scan, kind, answer));
    claim_timing(out, GENERIC_SOURCE, block->next, refused, rests_on);
}

static size_t collect_generic_block(const struct platform *platform, struct claim *out, size_t max)
{
    const struct scan *scan = &platform->scan;
    size_t blocks = 0, count = 0;

    for (size_t i = 0; i < scan->block_count; i++) {
        if (!scan->blocks[i].generic)
            continue;
        if (blocks++ < GENERIC_MAX && max - count >= 2) {
            judge_block(scan, &scan->blocks[i], &out[count]);
            count += 2;
        }
    }
    if (blocks == 0)
        return claim_foreign(out, max, GENERIC_SOURCE, false,
                             "no block's signature begins with \"Generic\"");
    return count;
}

const struct claim_source claim_generic_block = {.name = GENERIC_SOURCE,
                                                 .collect = collect_generic_block};
