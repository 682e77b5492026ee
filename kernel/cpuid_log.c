#include "kernel/cpuid_log.h"

#include <machine.h>

#define ENTRIES_MAX 512

static struct {
    struct cpuid_entry entries[ENTRIES_MAX];
    size_t count;
    uint32_t dropped;
} seen;

static bool covers(const struct cpuid_entry *entry, uint32_t leaf, uint32_t subleaf)
{
    uint32_t distance = leaf - entry->leaf;

    if (entry->subleaf != subleaf)
        return false;
    if (distance == 0)
        return true;
    return entry->stride && distance % entry->stride == 0 &&
           distance / entry->stride < entry->count;
}

static bool extend(struct cpuid_entry *entry, uint32_t leaf, uint32_t subleaf,
                   struct cpuid_words words)
{
    uint32_t stride = leaf - (entry->leaf + (entry->count - 1) * entry->stride);

    // Blocks lie at most 0x100 leaves apart; anything further is another matter.
    if (entry->subleaf != subleaf || leaf <= entry->leaf || stride > 0x100 ||
        !cpuid_equal(entry->words, words) || (entry->count > 1 && stride != entry->stride))
        return false;
    entry->stride = stride;
    entry->count++;
    return true;
}

static struct cpuid_words read(void *context, uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_words words = machine_cpuid(leaf, subleaf);

    (void)context;
    if (seen.count && extend(&seen.entries[seen.count - 1], leaf, subleaf, words))
        return words;
    for (size_t i = 0; i < seen.count; i++)
        if (covers(&seen.entries[i], leaf, subleaf) && cpuid_equal(seen.entries[i].words, words))
            return words;
    if (seen.count == ENTRIES_MAX)
        seen.dropped++;
    else
        seen.entries[seen.count++] = (struct cpuid_entry){leaf, subleaf, 1, 0, words};
    return words;
}

struct cpuid_source cpuid_log_start(void)
{
    seen.count = 0;
    seen.dropped = 0;
    return (struct cpuid_source){read, NULL};
}

const struct cpuid_entry *cpuid_log_entries(size_t *count, uint32_t *dropped)
{
    *count = seen.count;
    *dropped = seen.dropped;
    return seen.entries;
}
