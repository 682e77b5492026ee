// CPUID as a value: the four words of a leaf, and a function to read one.
//
// Everything that interprets CPUID takes a `struct cpuid_source`, so that a recorded table or a
// simulated machine can stand in for the instruction.
#pragma once

#include "lib/types.h"

// Leaves that several files read: Intel SDM vol. 2A and AMD APM vol. 3, CPUID; Microsoft TLFS,
// "Feature and Interface Discovery".
#define CPUID_HYPERV_FEATURES   0x40000003u
#define CPUID_EXTENDED          0x80000000u // EAX: the highest leaf from here on
#define CPUID_EXTENDED_FEATURES 0x80000001u
#define CPUID_EXTENDED_POWER    0x80000007u
#define CPUID_INVARIANT_TSC     (1u << 8) // in its EDX

struct cpuid_words {
    uint32_t eax, ebx, ecx, edx;
};

struct cpuid_source {
    struct cpuid_words (*read)(void *context, uint32_t leaf, uint32_t subleaf);
    void *context;
};

static inline struct cpuid_words cpuid_read(const struct cpuid_source *source, uint32_t leaf,
                                            uint32_t subleaf)
{
    return source->read(source->context, leaf, subleaf);
}

static inline bool cpuid_equal(struct cpuid_words a, struct cpuid_words b)
{
    return a.eax == b.eax && a.ebx == b.ebx && a.ecx == b.ecx && a.edx == b.edx;
}

static inline bool cpuid_is_zero(struct cpuid_words words)
{
    return (words.eax | words.ebx | words.ecx | words.edx) == 0;
}
