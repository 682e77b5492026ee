#include "kernel/cpuid_log.h"

#include <machine.h>

#define ENTRIES_MAX 512

static struct {
    struct cpuid_source source;
    struct cpuid_entry entries[ENTRIES_MAX];
    size_t count;
    uint32_t dropped;
    uint32_t executions;
} seen;

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
    struct cpuid_words words = cpuid_read(&seen.source, leaf, subleaf);

    (void)context;
    seen.executions++;
    if (seen.count && extend(&seen.entries[seen.count - 1], leaf, subleaf, words))
        return words;
    for (size_t i = 0; i < seen.count; i++)
        if (cpuid_entry_covers(&seen.entries[i], leaf, subleaf) &&
            cpuid_equal(seen.entries[i].words, words))
            return words;
    if (seen.count == ENTRIES_MAX)
        seen.dropped++;
    else
        seen.entries[seen.count++] = (struct cpuid_entry){leaf, subleaf, 1, 0, words};
    return words;
}

struct cpuid_source cpuid_log_over(struct cpuid_source source)
{
    seen.source = source;
    seen.count = 0;
    seen.dropped = 0;
    seen.executions = 0;
    return (struct cpuid_source){read, NULL};
}

static struct cpuid_words read_cpu(void *context, uint32_t leaf, uint32_t subleaf)
{
    (void)context;
    return machine_cpuid(leaf, subleaf);
}

struct cpuid_source cpuid_log_none(void)
{
    return (struct cpuid_source){read_cpu, NULL};
}

struct cpuid_source cpuid_log_start(void)
{
    return cpuid_log_over(cpuid_log_none());
}

void cpuid_log_repeat(struct cpuid_repeat *repeat, const struct scan *scan)
{
    *repeat = (struct cpuid_repeat){0};
    for (size_t i = 0; i < seen.count; i++) {
        struct cpuid_entry entry = seen.entries[i];
        for (uint32_t n = 0; n < seen.entries[i].count; n++, entry.leaf += entry.stride)
            cpuid_repeat_add(repeat, scan, &entry,
                             cpuid_read(&seen.source, entry.leaf, entry.subleaf));
        seen.executions += seen.entries[i].count;
    }
}

uint32_t cpuid_log_executions(void)
{
    return seen.executions;
}

const struct cpuid_entry *cpuid_log_entries(size_t *count, uint32_t *dropped)
{
    *count = seen.count;
    *dropped = seen.dropped;
    return seen.entries;
}
