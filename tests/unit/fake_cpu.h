// A CPU made of a table, for tests of what reads CPUID: it answers out-of-range leaves in one of
// the ways that real ones do, and remembers every leaf that it was asked for.
#pragma once

#include <stdlib.h>

#include "lib/cpuid.h"

struct fake_leaf {
    uint32_t leaf, subleaf;
    struct cpuid_words words;
};

enum fake_beyond {
    FAKE_ZEROS,    // AMD; KVM with an AMD guest; Xen
    FAKE_ECHO,     // Intel; QEMU TCG: the highest basic leaf, with the sub-leaf asked for
    FAKE_KVM,      // KVM with an Intel guest: an echo, but zeros within a block's range
    FAKE_CLAMP,    // bhyve: the highest hypervisor leaf
    FAKE_CONSTANT, // the host's words, of which the guest's leaves know nothing
};

#define FAKE_READS_MAX 70000

struct fake_cpu {
    const struct fake_leaf *leaves; // ended by a leaf of FAKE_END
    enum fake_beyond beyond;
    struct cpuid_words constant;
    struct {
        uint32_t leaf, subleaf;
    } reads[FAKE_READS_MAX];
    size_t read_count;
};
#define FAKE_END 0xffffffffu
#define LEAF(leaf, eax, ...)                                                                       \
    {                                                                                              \
        leaf, 0,                                                                                   \
        {                                                                                          \
            eax, __VA_ARGS__                                                                       \
        }                                                                                          \
    } // the words may come as one macro
#define SUBLEAF(leaf, subleaf, ...)                                                                \
    {                                                                                              \
        leaf, subleaf,                                                                             \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define LEAVES_END                                                                                 \
    {                                                                                              \
        FAKE_END, 0,                                                                               \
        {                                                                                          \
            0, 0, 0, 0                                                                             \
        }                                                                                          \
    }

static inline const struct fake_leaf *fake_find(const struct fake_cpu *fake, uint32_t leaf,
                                                uint32_t subleaf)
{
    const struct fake_leaf *first = NULL;

    for (const struct fake_leaf *entry = fake->leaves; entry->leaf != FAKE_END; entry++) {
        if (entry->leaf == leaf && entry->subleaf == subleaf)
            return entry;
        if (entry->leaf == leaf && entry->subleaf == 0)
            first = entry; // a leaf without sub-leaves
    }
    return first;
}

static inline uint32_t fake_highest(const struct fake_cpu *fake)
{
    uint32_t highest = 0;

    for (const struct fake_leaf *entry = fake->leaves; entry->leaf != FAKE_END; entry++)
        if (entry->leaf > highest)
            highest = entry->leaf;
    return highest;
}

// The words of a leaf that is in the table neither as it is nor as a part of the basic range.
static inline struct cpuid_words fake_beyond(const struct fake_cpu *fake, uint32_t leaf,
                                             uint32_t subleaf)
{
    const struct fake_leaf *block = fake_find(fake, leaf & 0xffffff00, 0);
    const struct fake_leaf *entry = NULL;

    if (fake->beyond == FAKE_CONSTANT)
        return fake->constant;
    if (fake->beyond == FAKE_CLAMP)
        entry = fake_find(fake, fake_highest(fake), subleaf);
    if (fake->beyond == FAKE_ECHO ||
        (fake->beyond == FAKE_KVM && !(block && leaf <= block->words.eax)))
        entry = fake_find(fake, fake_find(fake, 0, 0)->words.eax, subleaf);
    return entry ? entry->words : (struct cpuid_words){0};
}

static inline struct cpuid_words fake_read(void *context, uint32_t leaf, uint32_t subleaf)
{
    struct fake_cpu *fake = context;
    const struct fake_leaf *entry = fake_find(fake, leaf, subleaf);

    if (fake->read_count == FAKE_READS_MAX)
        abort();
    fake->reads[fake->read_count].leaf = leaf;
    fake->reads[fake->read_count++].subleaf = subleaf;
    if (entry)
        return entry->words;
    if (leaf > fake_find(fake, 0, 0)->words.eax)
        return fake_beyond(fake, leaf, subleaf);
    return (struct cpuid_words){0};
}

static inline bool fake_was_read(const struct fake_cpu *fake, uint32_t leaf)
{
    for (size_t i = 0; i < fake->read_count; i++)
        if (fake->reads[i].leaf == leaf)
            return true;
    return false;
}
