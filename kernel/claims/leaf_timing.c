// CPUID 0x40000010: EAX TSC kHz, EBX bus (APIC timer) kHz. VMware's proposal, lkml 2008/10/1/246.
#include "kernel/claims/claims.h"

#include "lib/text.h"

#define TIMING_SOURCE "leaf-0x40000010"

static size_t collect_leaf_timing(const struct platform *platform, struct claim *out, size_t max)
{
    const struct scan *scan = &platform->scan;
    const struct block *block = scan_main_block(scan);
    char answer[SCAN_ANSWER_SIZE], refused[sizeof(out->reason)] = "";

    if (max < 2)
        return 0;
    scan_answer_text(scan, scan->timing_answer, answer);
    if (!block)
        text_print(refused, sizeof(refused), "no block at 0x40000000; leaf 0x40000010 %s", answer);
    else if (!scan->timing_in_range)
        text_print(refused, sizeof(refused), "max leaf 0x%08x is below 0x40000010, which %s",
                   block->max_leaf, answer);
    else if (scan->timing_answer != ANSWER_DATA && scan->timing_answer != ANSWER_ZEROS)
        text_print(refused, sizeof(refused), "leaf 0x40000010 is in range, but %s", answer);
    claim_timing(out, TIMING_SOURCE, scan->timing, refused, "");
    return 2;
}

const struct claim_source claim_leaf_timing = {.name = TIMING_SOURCE,
                                               .collect = collect_leaf_timing};
