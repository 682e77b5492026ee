// Any CPU: the scans end, stay in their bounds, and touch no unknown block beyond its first leaf;
// every check comes to a result, and those that say what the CPU does say what it does.
//
// The first byte of the input says how leaves that it does not set are answered; then 20 bytes set
// one leaf. tests/fuzz/cpuid_seeds.py makes inputs to begin with.
#include <assert.h>
#include <string.h>

#include "lib/check.h"

#define ENTRY    20u
#define READ_MAX 1000u // the scans that are not wide read 271 signature leaves and little more

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum beyond { ZEROS, ECHO, CLAMP, PASS_THROUGH, BEYONDS };

struct cpu {
    const uint8_t *data;
    size_t entries;
    enum beyond beyond;
    struct cpuid_entry reads[READ_MAX];
    size_t read_count;
};

// The leaves that can be set: basic and extended ones, those of the first block, and all up to
// 0x4000ffff.
static uint32_t leaf_of(uint32_t word)
{
    switch (word & 3) {
    case 0:
        return (word >> 2 & 0x20 ? 0x80000000u : 0) | (word >> 2 & 0x1f);
    case 1:
        return CPUID_HYPERVISOR_BASE | (word >> 2 & 0x1f);
    case 2:
        return CPUID_HYPERVISOR_BASE | (word >> 2 & 0xff) << 8;
    default:
        return CPUID_HYPERVISOR_BASE | (word >> 2 & 0xffff);
    }
}

// The words of the last entry that sets this leaf; false: there is none.
static bool find(const struct cpu *cpu, uint32_t leaf, uint32_t subleaf, struct cpuid_words *words)
{
    for (size_t i = cpu->entries; i--;) {
        uint32_t word;
        memcpy(&word, cpu->data + ENTRY * i, sizeof(word));
        if (leaf_of(word) != leaf || (subleaf && !(word >> 31)))
            continue;
        memcpy(words, cpu->data + ENTRY * i + sizeof(word), sizeof(*words));
        return true;
    }
    return false;
}

static struct cpuid_words answer(const struct cpu *cpu, uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_words words = {0, 0, 0, 0}, base = {0, 0, 0, 0};

    if (find(cpu, leaf, subleaf, &words) || leaf < CPUID_HYPERVISOR_BASE)
        return words;
    if (cpu->beyond == ECHO && find(cpu, 0, 0, &base))
        find(cpu, base.eax, subleaf, &words);
    if (cpu->beyond == CLAMP && find(cpu, CPUID_HYPERVISOR_BASE, 0, &base))
        find(cpu, base.eax, subleaf, &words);
    if (cpu->beyond == PASS_THROUGH)
        words = (struct cpuid_words){0xdac, 0xfa0, 0x64, 0};
    return words;
}

static struct cpuid_words read(void *context, uint32_t leaf, uint32_t subleaf)
{
    struct cpu *cpu = context;
    struct cpuid_words words = answer(cpu, leaf, subleaf);

    assert(cpu->read_count < READ_MAX);
    cpu->reads[cpu->read_count++] = (struct cpuid_entry){leaf, subleaf, 1, 0, words};
    return words;
}

static void assert_scan(const struct scan *scan)
{
    assert(scan->block_count <= SCAN_BLOCKS_MAX);
    assert(memchr(scan->cpu_vendor, '\0', sizeof(scan->cpu_vendor)));
    for (size_t i = 0; i < scan->block_count; i++) {
        const struct block *block = &scan->blocks[i];
        assert(block->base >> 28 == 4);
        assert(block->last_leaf >= block->base && block->last_leaf <= block->base + 0xff);
        assert(memchr(block->note, '\0', sizeof(block->note)));
        for (size_t n = 0; n < i; n++)
            assert(scan->blocks[n].base != block->base);
    }
    for (size_t i = 0; i < SCAN_KINDS; i++) {
        const struct scan_finding *finding = &scan->findings[i];
        unsigned sum = finding->found;
        for (unsigned n = 0; n <= ANSWER_PASS_THROUGH; n++)
            sum += finding->answers[n];
        assert(sum == finding->bases); // every base is accounted for
        assert(finding->text[0] && memchr(finding->text, '\0', sizeof(finding->text)));
    }
    assert(!scan->timing_in_range || scan_main_block(scan));
}

static enum check_result result_of(const struct check *checks, const char *id)
{
    size_t i = 0;

    while (i < CHECKS_MAX - 1 && strcmp(checks[i].rule->id, id) != 0)
        i++;
    assert(strcmp(checks[i].rule->id, id) == 0);
    return checks[i].result;
}

static void assert_checks(const struct scan *scan, struct cpu *cpu)
{
    static struct check checks[CHECKS_MAX];
    struct cpuid_repeat repeat = {0};
    const struct check_input input = {
        .scan = scan, .leaves = cpu->reads, .leaf_count = cpu->read_count, .repeat = &repeat};

    for (size_t i = 0; i < cpu->read_count; i++)
        cpuid_repeat_add(&repeat, scan, &cpu->reads[i],
                         answer(cpu, cpu->reads[i].leaf, cpu->reads[i].subleaf));
    assert(check_run(&input, checks) == CHECKS_MAX);
    for (size_t i = 0; i < CHECKS_MAX; i++) {
        assert(checks[i].result <= CHECK_SKIP);
        assert(checks[i].detail[0] && memchr(checks[i].detail, '\0', sizeof(checks[i].detail)));
    }
    assert(result_of(checks, "cpuid-repeatable") == CHECK_PASS);
    assert(result_of(checks, "unknown-blocks-ignored") != CHECK_FAIL);
    assert(result_of(checks, "bus-claim") == CHECK_SKIP); // there is no claim
    if (scan->max_basic >= 1)
        assert((result_of(checks, "present-bit") == CHECK_PASS) ==
               (scan->present == (scan->block_count != 0)));
    // No hypervisor, no fault of one.
    if (!scan->present && !scan->block_count && cpu->beyond == ZEROS) {
        bool sets_hypervisor = false;
        for (size_t i = 0; i < cpu->read_count; i++)
            sets_hypervisor |= cpu->reads[i].leaf >> 28 == 4 && !cpuid_is_zero(cpu->reads[i].words);
        for (size_t i = 0; i < CHECKS_MAX && !sets_hypervisor; i++)
            assert(checks[i].result != CHECK_FAIL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct scan scan;
    static struct cpu cpu;

    if (!size)
        return 0;
    cpu.data = data + 1;
    cpu.entries = (size - 1) / ENTRY < 32 ? (size - 1) / ENTRY : 32;
    cpu.beyond = data[0] % BEYONDS;
    cpu.read_count = 0;
    const struct cpuid_source source = {read, &cpu};
    scan_run(&scan, &source, false, NULL);
    assert_scan(&scan);
    check_read(&source, &scan);
    assert_checks(&scan, &cpu);
    return 0;
}
