#include "lib/cpuid_table.h"

bool cpuid_entry_covers(const struct cpuid_entry *entry, uint32_t leaf, uint32_t subleaf)
{
    uint32_t distance = leaf - entry->leaf;

    if (entry->subleaf != subleaf)
        return false;
    if (distance == 0)
        return true;
    return entry->stride && distance % entry->stride == 0 &&
           distance / entry->stride < entry->count;
}

const struct cpuid_words *cpuid_table_find(const struct cpuid_entry *entries, size_t count,
                                           uint32_t leaf, uint32_t subleaf)
{
    for (size_t i = 0; i < count; i++)
        if (cpuid_entry_covers(&entries[i], leaf, subleaf))
            return &entries[i].words;
    return NULL;
}
