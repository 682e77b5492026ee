// CPUID leaves that were read or recorded, as a table.
#pragma once

#include "lib/cpuid.h"

// Consecutive reads at a constant stride that gave the same words are one entry.
struct cpuid_entry {
    uint32_t leaf, subleaf;
    uint32_t count, stride; // count 1: stride 0
    struct cpuid_words words;
};

// Is this leaf and sub-leaf one of the entry's?
bool cpuid_entry_covers(const struct cpuid_entry *entry, uint32_t leaf, uint32_t subleaf);

// The words of a leaf, of the first entry that has it; NULL: none has.
const struct cpuid_words *cpuid_table_find(const struct cpuid_entry *entries, size_t count,
                                           uint32_t leaf, uint32_t subleaf);
