// CPUID as the run reads it, with every leaf remembered for the records.
#pragma once

#include "lib/cpuid.h"

// Consecutive reads at a constant stride that gave the same words are one entry.
struct cpuid_entry {
    uint32_t leaf, subleaf;
    uint32_t count, stride; // count 1: stride 0
    struct cpuid_words words;
};

// Forgets everything and gives the source that reads the CPU and remembers.
struct cpuid_source cpuid_log_start(void);

// What was read, in the order of first reading; *dropped counts reads there was no room for.
const struct cpuid_entry *cpuid_log_entries(size_t *count, uint32_t *dropped);
