// What stands in for kernel/machine.h where parts of kernel/ are compiled for hypertick-scan, a
// program of the user's own machine: the one instruction that they need there.
#pragma once

#include "lib/cpuid.h"
#include "lib/phys.h"
#include "lib/types.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#define MACHINE_HAS_CPUID true
#else
#define MACHINE_HAS_CPUID false
#endif

struct bracket { // kernel/clock.h names it
    uint64_t before, after, value;
};

static inline struct cpuid_words machine_cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_words words = {0, 0, 0, 0};
#if defined(__x86_64__) || defined(__i386__)
    __cpuid_count(leaf, subleaf, words.eax, words.ebx, words.ecx, words.edx);
#else
    (void)leaf;
    (void)subleaf;
#endif
    return words;
}
