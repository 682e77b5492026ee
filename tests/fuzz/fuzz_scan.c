// Any CPU: the scans end, stay in their bounds, and touch no unknown block beyond its first leaf.
#include <assert.h>
#include <string.h>

#include "lib/scan.h"

// What every leaf below gives unless the input has it otherwise; 20 bytes of input change one leaf.
#define ENTRY    20u
#define READ_MAX 1000u // the scans that are not wide read 271 signature leaves and little more

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct cpu {
    const uint8_t *data;
    size_t entries;
    unsigned reads;
};

// The leaves that can be set: basic ones, those of the first block, and one in each later base.
static uint32_t leaf_of(uint32_t word)
{
    switch (word & 3) {
    case 0:
        return word >> 2 & 0x1f;
    case 1:
        return CPUID_HYPERVISOR_BASE | (word >> 2 & 0x1f);
    case 2:
        return CPUID_HYPERVISOR_BASE | (word >> 2 & 0xff) << 8;
    default:
        return CPUID_HYPERVISOR_BASE | (word >> 2 & 0xffff);
    }
}

static struct cpuid_words read(void *context, uint32_t leaf, uint32_t subleaf)
{
    struct cpu *cpu = context;
    struct cpuid_words words = {0, 0, 0, 0};

    assert(++cpu->reads < READ_MAX);
    for (size_t i = 0; i < cpu->entries; i++) {
        uint32_t word;
        memcpy(&word, cpu->data + ENTRY * i, sizeof(word));
        if (leaf_of(word) == leaf && (subleaf == 0 || word >> 31))
            memcpy(&words, cpu->data + ENTRY * i + sizeof(word), sizeof(words));
    }
    return words;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct scan scan;
    struct cpu cpu = {.data = data, .entries = size / ENTRY < 32 ? size / ENTRY : 32};

    scan_run(&scan, &(struct cpuid_source){read, &cpu}, false, NULL);
    assert(scan.block_count <= SCAN_BLOCKS_MAX);
    assert(memchr(scan.cpu_vendor, '\0', sizeof(scan.cpu_vendor)));
    for (size_t i = 0; i < scan.block_count; i++) {
        const struct block *block = &scan.blocks[i];
        assert(block->base >> 28 == 4);
        assert(block->last_leaf >= block->base);
        assert(memchr(block->note, '\0', sizeof(block->note)));
        assert(i == 0 || scan.blocks[i - 1].base != block->base);
    }
    for (size_t i = 0; i < SCAN_KINDS; i++)
        assert(memchr(scan.findings[i].text, '\0', sizeof(scan.findings[i].text)));
    return 0;
}
