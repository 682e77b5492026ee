// Any text as a CPUID dump: it is read or refused with a reason, and what it makes of a CPU can be
// scanned and checked. Of a hypervisor of which the dump has no leaf, no check fails.
//
// tests/fuzz/cpuid_seeds.py makes inputs to begin with.
#include <assert.h>
#include <string.h>

#include "lib/check.h"
// Not in lib/: only hypertick-scan reads dumps.
#include "tools/scan/dump.c" // NOLINT(bugprone-suspicious-include)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_scan(struct dump *dump)
{
    static struct scan scan;
    static struct check checks[CHECKS_MAX];
    struct cpuid_source source = dump_source(dump);
    struct check_input input = {
        .scan = &scan, .leaves = dump->leaves, .leaf_count = dump->count, .is_dump = true};

    bool has_hypervisor = false;

    for (size_t i = 0; i < dump->count; i++)
        for (uint32_t n = 0; n < dump->leaves[i].count && !has_hypervisor; n++)
            has_hypervisor = (dump->leaves[i].leaf + n * dump->leaves[i].stride) >> 28 == 4;
    scan_run(&scan, &source, false, NULL);
    assert(check_run(&input, checks) == CHECKS_MAX);
    for (size_t i = 0; i < CHECKS_MAX; i++) {
        assert(checks[i].result <= CHECK_SKIP);
        assert(checks[i].detail[0] && memchr(checks[i].detail, '\0', sizeof(checks[i].detail)));
        assert(has_hypervisor || checks[i].result != CHECK_FAIL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dump dump;
    const char *text = (const char *)data;

    dump_start(&dump);
    for (size_t at = 0; at < size;) {
        const char *newline = memchr(text + at, '\n', size - at);
        size_t end = newline ? (size_t)(newline - text) : size;
        size_t before = dump.count;
        if (!dump_line(&dump, text + at, end - at)) {
            assert(memcmp(dump.error, "expected ", 9) == 0);
            assert(dump.count == before);
        }
        at = end + 1;
    }
    assert(dump.count <= DUMP_LEAVES_MAX && dump.reads <= DUMP_READS_MAX);
    if (dump_end(&dump))
        check_scan(&dump);
    return 0;
}
