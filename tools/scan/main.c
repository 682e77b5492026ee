// hypertick-scan: detection, claims and checks on the user's own machine, or over a dump of
// another. docs/hypertick-scan.md is the user's side of this file.
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <machine.h>

#include "kernel/claims/claims.h"
#include "kernel/cpuid_log.h"
#include "kernel/report/emit.h"
#include "kernel/report/report.h"
#include "lib/text.h"
#include "tools/scan/dump.h"
#include "tools/scan/output.h"

#define FILE_MAX (64u << 20) // bytes: no dump is larger, and somebody's disk image should end here

enum status { STATUS_PASS, STATUS_FAIL, STATUS_ERROR };

static const char usage[] =
    "usage: hypertick-scan [--json] [--list] [--wide] [FILE]\n"
    "Finds hypervisors in CPUID, lists the frequencies that they claim, and checks which rules of\n"
    "the CPUID conventions they keep.\n"
    "\n"
    "  FILE    a dump instead of this machine: output of `cpuid -r`, an InstLatx64 dump, a\n"
    "          vmware.log, or records of hypertick; - is standard input\n"
    "  --json  records (docs/records.md) instead of text\n"
    "  --list  all checks, not only those that fail\n"
    "  --wide  the vendor spaces at 0x40SSSS00, too: 65536 leaves\n"
    "\n"
    "Exit status: 0 no check failed, 1 a check failed, 2 wrong usage or a malformed dump.\n";

static struct dump dump;
static struct platform platform;
static struct claim claims[CLAIMS_MAX];
static struct check checks[CHECKS_MAX];

// Reads all of a file. Ends the program if that does not work.
static char *read_file(const char *name, size_t *length)
{
    FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "rb");
    size_t room = 1u << 16;
    char *bytes = malloc(room);

    *length = 0;
    while (file && bytes && !feof(file) && !ferror(file) && *length < FILE_MAX) {
        *length += fread(bytes + *length, 1, room - *length, file);
        if (*length == room) {
            char *larger = realloc(bytes, room *= 2);
            if (!larger)
                free(bytes);
            bytes = larger;
        }
    }
    if (!file || !bytes || ferror(file)) {
        (void)fprintf(stderr, "hypertick-scan: %s: %s\n", name, strerror(errno));
        exit(STATUS_ERROR);
    }
    if (*length >= FILE_MAX) {
        (void)fprintf(stderr, "hypertick-scan: %s: expected at most 64 MiB\n", name);
        exit(STATUS_ERROR);
    }
    if (file != stdin)
        (void)fclose(file);
    return bytes;
}

// UTF-16, as PowerShell redirects output: the low bytes, which are all that counts in a dump.
static size_t narrow(char *bytes, size_t length)
{
    if (length < 2 || memcmp(bytes, "\xff\xfe", 2) != 0)
        return length;
    for (size_t i = 1; i < length / 2; i++)
        bytes[i - 1] = bytes[2 * i];
    return length / 2 - 1;
}

// Reads a dump. Ends the program, with every malformed line named, if it is not one.
static void read_dump(const char *name)
{
    size_t length;
    char *bytes = read_file(name, &length);
    unsigned malformed = 0;

    length = narrow(bytes, length);
    dump_start(&dump);
    for (size_t at = 0; at < length;) {
        const char *newline = memchr(bytes + at, '\n', length - at);
        size_t end = newline ? (size_t)(newline - bytes) : length;
        if (!dump_line(&dump, bytes + at, end - at)) {
            malformed++;
            (void)fprintf(stderr, "%s:%u: %s\n", name, dump.lines, dump.error);
        }
        at = end + 1;
    }
    free(bytes);
    if (malformed)
        exit(STATUS_ERROR);
    if (!dump_end(&dump)) {
        (void)fprintf(stderr, "%s: %s\n", name, dump.error);
        exit(STATUS_ERROR);
    }
}

// Both scans on the same CPU: what differs between CPUs is no side effect.
static void stay_on_this_cpu(void)
{
#ifdef __linux__
    cpu_set_t cpus;
    int cpu = sched_getcpu();

    CPU_ZERO(&cpus);
    if (cpu < 0 || cpu >= CPU_SETSIZE)
        return;
    CPU_SET((size_t)cpu, &cpus);
    (void)sched_setaffinity(0, sizeof(cpus), &cpus);
#endif
}

// What one should know of a dump before one believes the rest.
static void tell_about_dump(void)
{
    if (dump.unknown)
        emit_note("info", "%u line%s of the dump %s not of CPUID", dump.unknown,
                  dump.unknown == 1 ? "" : "s", dump.unknown == 1 ? "is" : "are");
    if (dump.others)
        emit_note("info", "%u line%s of other CPUs than the first, or of a guest's host",
                  dump.others, dump.others == 1 ? " is" : "s are");
    if (!cpuid_table_find(dump.leaves, dump.count, 1, 0))
        emit_note("info", "the dump has no leaf 0x1: the present bit is not known");
    if (dump.missing && dump.beyond_known)
        emit_note("info",
                  "%u reads found no leaf in the dump: zeros, and beyond every block what 0x%08x "
                  "gives",
                  dump.missing, dump.beyond_leaf);
    else if (dump.missing)
        emit_note("info", "%u reads found no leaf in the dump: zeros", dump.missing);
}

static enum status conclude(size_t check_count)
{
    unsigned failed = 0;
    char reason[48];

    for (size_t i = 0; i < check_count; i++)
        failed += checks[i].result == CHECK_FAIL;
    if (failed)
        text_print(reason, sizeof(reason), "%u check%s failed", failed, failed == 1 ? "" : "s");
    else
        text_print(reason, sizeof(reason), "no check failed");
    emit_record("end");
    record_string("result", failed ? "fail" : "pass");
    record_string("reason", reason);
    record_u64("records", emit_record_count() + 1);
    record_null("guest_ns");
    emit_record_end();
    emit_text("\n%s: %s\n", failed ? "FAIL" : "PASS", reason);
    return failed ? STATUS_FAIL : STATUS_PASS;
}

// `name` NULL: this machine.
static enum status scan(const char *name, bool list, bool wide)
{
    struct cpuid_repeat repeat = {0};
    struct check_input input = {
        .scan = &platform.scan,
        .is_dump = name,
        .claims = claims,
        .tolerance_ppb = platform.options.tolerance_ppb,
        .repeat = name ? NULL : &repeat,
    };

    emit_start();
    emit_text("hypertick-scan " HYPERTICK_VERSION ": %s\n", name ? name : "this machine");
    platform.cpuid = name ? cpuid_log_over(dump_source(&dump)) : cpuid_log_start();
    scan_run(&platform.scan, &platform.cpuid, wide, NULL);
    report_detection(&platform);
    input.claim_count = claims_collect(&platform, claims, CLAIMS_MAX);
    report_claims(claims, input.claim_count);
    if (name) {
        // What the dump holds, and nothing that stood in for what it lacks.
        tell_about_dump();
        platform.cpuid = cpuid_log_over(dump_source(&dump));
        for (size_t i = 0; i < dump.count; i++)
            for (uint32_t n = 0; n < dump.leaves[i].count; n++)
                cpuid_read(&platform.cpuid, dump.leaves[i].leaf + n * dump.leaves[i].stride,
                           dump.leaves[i].subleaf);
        input.leaves = dump.leaves;
        input.leaf_count = dump.count;
    } else {
        cpuid_log_repeat(&repeat, &platform.scan);
        check_read(&platform.cpuid, &platform.scan);
        input.leaves = cpuid_log_entries(&input.leaf_count, &input.leaves_dropped);
    }
    report_leaves();
    size_t check_count = check_run(&input, checks);
    report_checks(checks, check_count, list, true);
    return conclude(check_count);
}

int main(int argc, char **argv)
{
    const char *file = NULL;
    bool list = false, wide = false;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            output_format(SINK_JSON);
        else if (strcmp(argv[i], "--list") == 0)
            list = true;
        else if (strcmp(argv[i], "--wide") == 0)
            wide = true;
        else if (strcmp(argv[i], "--help") == 0)
            return fputs(usage, stdout) < 0 ? STATUS_ERROR : STATUS_PASS;
        else if ((argv[i][0] == '-' && argv[i][1]) || file) {
            (void)fprintf(stderr, "hypertick-scan: %s is unexpected\n%s", argv[i], usage);
            return STATUS_ERROR;
        } else
            file = argv[i];
    }
    options_default(&platform.options);
    if (file)
        read_dump(file);
    else if (!MACHINE_HAS_CPUID) {
        (void)fputs("hypertick-scan: this machine has no CPUID; give a FILE\n", stderr);
        return STATUS_ERROR;
    } else
        stay_on_this_cpu();
    enum status status = scan(file, list, wide);
    if (fflush(stdout) || ferror(stdout)) {
        (void)fprintf(stderr, "hypertick-scan: standard output: %s\n", strerror(errno));
        return STATUS_ERROR;
    }
    return (int)status;
}
