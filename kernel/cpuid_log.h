// CPUID as the run reads it, with every leaf remembered for the records.
#pragma once

#include "lib/check.h"
#include "lib/cpuid_table.h"

// Forgets everything and gives the source that reads the CPU and remembers.
struct cpuid_source cpuid_log_start(void);

// The CPU without a log.
struct cpuid_source cpuid_log_none(void);

// The same over another source than the CPU.
struct cpuid_source cpuid_log_over(struct cpuid_source source);

// Reads every leaf that is remembered once more, and counts what differs.
void cpuid_log_repeat(struct cpuid_repeat *repeat, const struct scan *scan);

// How often CPUID was executed through the log since it was started, repeats included.
uint32_t cpuid_log_executions(void);

// What was read, in the order of first reading; *dropped counts reads there was no room for.
const struct cpuid_entry *cpuid_log_entries(size_t *count, uint32_t *dropped);
