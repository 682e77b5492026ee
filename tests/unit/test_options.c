#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/options.h"
#include "tests/unit/stream.h"

static const char *const clocks[] = {"pit", "hpet", "pmtimer", "lapic", NULL};
static const char *const loader_words[] = {"dummy", "ro", "console=", "i8042.", NULL};

// Parses a copy that ends where its memory ends, so that the sanitizer sees a read past the NUL.
static struct options parse_over(struct options options, const char *line)
{
    char *copy = strdup(line);

    assert_non_null(copy);
    options_parse(&options, &(struct option_source){NULL, copy, loader_words}, 1, clocks);
    free(copy);
    return options;
}

static struct options parse(const char *line)
{
    struct options options;

    options_default(&options);
    return parse_over(options, line);
}

static void assert_one_error(const struct options *options, const char *word, const char *expected,
                             const char *used)
{
    assert_int_equal(options->error_count, 1);
    assert_string_equal(options->errors[0].word, word);
    assert_string_equal(options->errors[0].expected, expected);
    assert_string_equal(options->errors[0].used, used);
}

static void test_defaults(void **state)
{
    (void)state;
    struct options options;

    memset(&options, 0xff, sizeof(options));
    options_default(&options);
    assert_int_equal(options.window_ns, 1000000000);
    assert_int_equal(options.precision_ppb, 500);
    assert_int_equal(options.tolerance_ppb, 50000);
    assert_int_equal(options.stop, STOP_PRECISION);
    assert_int_equal(options.clock_count, 0);
    assert_int_equal(options.com1, SINK_TEXT);
    assert_int_equal(options.com2, SINK_JSON);
    assert_int_equal(options.com3, 0);
    assert_int_equal(options.com4, 0);
    assert_int_equal(options.pciserial, SINK_AUTO);
    assert_int_equal(options.debugcon, SINK_AUTO);
    assert_int_equal(options.screen, SINK_TEXT);
    assert_int_equal(options.expect_count, 0);
    assert_int_equal(options.exit, EXIT_AUTO);
    assert_false(options.strict);
    assert_false(options.scan_wide);
    assert_int_equal(options.sections, SECTION_VCPUS | SECTION_COSTS);
    assert_int_equal(options.fault, FAULT_NONE);
    assert_int_equal(options.error_count, 0);
    assert_int_equal(options.ignored_count, 0);
}

static void test_an_empty_line_changes_nothing(void **state)
{
    (void)state;
    static const char *const lines[] = {"", " ", " \t\r\n ", "hypertick.elf", "  /boot/kernel  "};
    struct options defaults;

    options_default(&defaults);
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct options options = parse(lines[i]);
        assert_memory_equal(&options, &defaults, sizeof(options));
    }
}

// --- Numbers

struct number {
    const char *line;
    uint64_t value; // 0 where the line is wrong
};

static void test_window(void **state)
{
    (void)state;
    static const struct number numbers[] = {
        {"window=1ms", 1000000},
        {"window=1000000ns", 1000000},
        {"window=1000us", 1000000},
        {"window=100ms", 100000000},
        {"window=1.5s", 1500000000},
        {"window=0.5m", 30000000000},
        {"window=24h", 86400000000000},
        {"window=23.99999999999h", 86399999999964},
        {"window=23.999999999999h", 0}, // no whole number of ns
        {"window=0000000000000000000000001s", 1000000000},
        {"window=1.50000000000s", 1500000000},
        {"window=1.0000000000000000000s", 1000000000},
        {"window=1.00000000000000000000s", 0}, // its digits are more than 64 bits hold
        {"window=999999ns", 0},
        {"window=1.000001ms", 1000001},
        {"window=1.0000001ms", 0},
        {"window=24.000001h", 0},
        {"window=86400001ms", 0},
        {"window=18446744073709551616ns", 0},
        {"window=92233720369547758080ns", 0}, // five times 2^64 ns and 1 s
        {"window=99999999999999999999999999h", 0},
        {"window=5124096h", 0}, // 2^64 ns and a little
        {"window=0", 0},
        {"window=0s", 0},
        {"window=100", 0},
        {"window=", 0},
        {"window=ms", 0},
        {"window=.5s", 0},
        {"window=1.s", 0},
        {"window=1..5s", 0},
        {"window=1.5.5s", 0},
        {"window=-1s", 0},
        {"window=+1s", 0},
        {"window=1S", 0},
        {"window=1s ", 1000000000},
        {"window=1sec", 0},
        {"window=1,5s", 0},
        {"window=0x10ms", 0},
        {"window==1s", 0},
        {"window=fast", 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        struct options options = parse(numbers[i].line);
        if (numbers[i].value) {
            if (options.error_count)
                fail_msg("%s", numbers[i].line);
            assert_int_equal(options.window_ns, numbers[i].value);
        } else {
            assert_one_error(&options, numbers[i].line, "a duration such as 100ms, from 1ms to 24h",
                             "window=1000ms");
            assert_int_equal(options.window_ns, 1000000000);
        }
    }
}

static void test_duration(void **state)
{
    (void)state;
    assert_int_equal(parse("window=1s").duration_ns, 0);
    assert_int_equal(parse("duration=10s").duration_ns, 10000000000);
    assert_int_equal(parse("duration=12h").duration_ns, 43200000000000);
    assert_int_equal(parse("duration=366d").duration_ns, 31622400000000000);
    assert_true(parse("duration=forever").duration_ns == DURATION_FOREVER);
    assert_int_equal(parse_over(parse("duration=1m"), "duration=off").duration_ns, 0);
    static const char *const wrong[] = {"duration=", "duration=ever", "duration=0", "duration=367d",
                                        "duration=999us"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct options options = parse(wrong[i]);
        assert_one_error(&options, wrong[i],
                         "off, forever, or a duration such as 10s, from 1ms to 366d",
                         "duration=off");
        assert_int_equal(options.duration_ns, 0);
    }
}

static void test_precision_and_tolerance(void **state)
{
    (void)state;
    assert_int_equal(parse("precision=0").precision_ppb, 0);
    assert_int_equal(parse("precision=0").error_count, 0);
    assert_int_equal(parse("precision=0.0").precision_ppb, 0);
    assert_int_equal(parse("precision=0ppm").precision_ppb, 0);
    assert_int_equal(parse("precision=1ppb").precision_ppb, 1);
    assert_int_equal(parse("precision=0.001ppm").precision_ppb, 1);
    assert_int_equal(parse("precision=1000ppm").precision_ppb, 1000000);
    assert_int_equal(parse("tolerance=1ppb").tolerance_ppb, 1);
    assert_int_equal(parse("tolerance=2.5ppm").tolerance_ppb, 2500);
    assert_int_equal(parse("tolerance=100000ppm").tolerance_ppb, 100000000);

    static const char *const precisions[] = {"precision=1000001ppb", "precision=0.0001ppm",
                                             "precision=1", "precision=fine", "precision="};
    for (size_t i = 0; i < ARRAY_SIZE(precisions); i++) {
        struct options options = parse(precisions[i]);
        assert_one_error(&options, precisions[i], "a ratio such as 0.5ppm, from 0 to 1000ppm",
                         "precision=0.5ppm");
        assert_int_equal(options.precision_ppb, 500);
    }
    static const char *const tolerances[] = {"tolerance=0", "tolerance=0ppb", "tolerance=-1ppm",
                                             "tolerance=100000.001ppm", "tolerance=1%"};
    for (size_t i = 0; i < ARRAY_SIZE(tolerances); i++) {
        struct options options = parse(tolerances[i]);
        assert_one_error(&options, tolerances[i], "a ratio such as 50ppm, from 1ppb to 100000ppm",
                         "tolerance=50ppm");
        assert_int_equal(options.tolerance_ppb, 50000);
    }
}

// --- Words

static unsigned com1(const struct options *options)
{
    return options->com1;
}

static unsigned com2(const struct options *options)
{
    return options->com2;
}

static unsigned com3(const struct options *options)
{
    return options->com3;
}

static unsigned com4(const struct options *options)
{
    return options->com4;
}

static unsigned pciserial(const struct options *options)
{
    return options->pciserial;
}

static unsigned debugcon(const struct options *options)
{
    return options->debugcon;
}

static unsigned screen(const struct options *options)
{
    return options->screen;
}

static void test_sinks(void **state)
{
    (void)state;
    static const struct {
        const char *key, *initial;
        unsigned (*get)(const struct options *options);
    } sinks[] = {{"com1=", "text", com1},
                 {"com2=", "json", com2},
                 {"com3=", "off", com3},
                 {"com4=", "off", com4},
                 {"pciserial=", "auto", pciserial},
                 {"debugcon=", "auto", debugcon},
                 {"screen=", "text", screen}};
    static const struct {
        const char *value;
        unsigned bits;
    } values[] = {{"text", SINK_TEXT},
                  {"json", SINK_JSON},
                  {"tap", SINK_TAP},
                  {"off", 0},
                  {"text+json", SINK_TEXT | SINK_JSON},
                  {"json+text", SINK_TEXT | SINK_JSON}};
    static const char *const wrong[] = {"",     "xml",   "tap+json", "text+text",
                                        "TEXT", "text+", "textjson"};
    struct options defaults;
    char word[64], used[64];

    options_default(&defaults);
    for (size_t i = 0; i < ARRAY_SIZE(sinks); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(values); j++) {
            text_print(word, sizeof(word), "%s%s", sinks[i].key, values[j].value);
            struct options options = parse(word);
            assert_int_equal(options.error_count, 0);
            assert_int_equal(sinks[i].get(&options), values[j].bits);
            // And no other sink changed.
            for (size_t k = 0; k < ARRAY_SIZE(sinks); k++)
                if (k != i)
                    assert_int_equal(sinks[k].get(&options), sinks[k].get(&defaults));
        }
        for (size_t j = 0; j < ARRAY_SIZE(wrong); j++) {
            text_print(word, sizeof(word), "%s%s", sinks[i].key, wrong[j]);
            text_print(used, sizeof(used), "%s%s", sinks[i].key, sinks[i].initial);
            struct options options = parse(word);
            assert_one_error(&options, word,
                             sinks[i].get(&defaults) == SINK_AUTO
                                 ? "auto, text, json, text+json, tap or off"
                                 : "text, json, text+json, tap or off",
                             used);
            assert_int_equal(sinks[i].get(&options), sinks[i].get(&defaults));
        }
    }
}

static void test_sinks_that_come_by_themselves(void **state)
{
    (void)state;
    struct options options = parse("pciserial=auto debugcon=auto");

    assert_int_equal(options.error_count, 0);
    options = parse("com3=auto");
    assert_one_error(&options, "com3=auto", "text, json, text+json, tap or off", "com3=off");
}

static unsigned stop(const struct options *options)
{
    return options->stop;
}

static unsigned leave(const struct options *options)
{
    return options->exit;
}

static unsigned strict(const struct options *options)
{
    return options->strict;
}

static unsigned scan_wide(const struct options *options)
{
    return options->scan_wide;
}

static unsigned cpus(const struct options *options)
{
    return options->cpus;
}

static unsigned skew_ns(const struct options *options)
{
    return (unsigned)options->skew_ns;
}

static unsigned fault(const struct options *options)
{
    return options->fault;
}

static unsigned sections(const struct options *options)
{
    return options->sections;
}

// Two sources: the second begins as a line of its own, and wins.
static void test_two_sources(void **state)
{
    (void)state;
    struct options options = parse("window=20ms stop=verdict -- hypertick.efi window=30ms");

    assert_int_equal(options.error_count, 0);
    assert_int_equal(options.window_ns, 30000000);
    assert_int_equal(options.stop, STOP_VERDICT);
    options = parse("a.elf -- -- b.efi --");
    assert_int_equal(options.error_count, 0);
    // Within a source nothing has changed, and what was right before stays in force.
    options = parse("window=20ms -- window=fast");
    assert_one_error(&options, "window=fast", "a duration such as 100ms, from 1ms to 24h",
                     "window=20ms");
    options = parse("-- window=20ms window=30ms");
    assert_one_error(&options, "window=30ms", "window= only once", "window=30ms");
    options = parse("window=20ms -- stop=verdict stray");
    assert_int_equal(options.error_count, 1);
}

static void test_choices(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        unsigned (*get)(const struct options *options);
        unsigned value;
    } right[] = {
        {"stop=precision", stop, STOP_PRECISION},
        {"stop=verdict", stop, STOP_VERDICT},
        {"exit=auto", leave, EXIT_AUTO},
        {"exit=qemu", leave, EXIT_QEMU},
        {"exit=acpi", leave, EXIT_ACPI},
        {"exit=reset", leave, EXIT_RESET},
        {"exit=efi", leave, EXIT_EFI},
        {"exit=halt", leave, EXIT_HALT},
        {"strict=on", strict, true},
        {"strict=off", strict, false},
        {"scan=standard", scan_wide, false},
        {"scan=wide", scan_wide, true},
        {"cpus=all", cpus, 0},
        {"cpus=1", cpus, 1},
        {"cpus=65536", cpus, 65536},
        {"skew=0", skew_ns, 0},
        {"skew=1.5us", skew_ns, 1500},
        {"skew=1s", skew_ns, 1000000000},
        {"sections=all", sections, SECTIONS_ALL},
        {"sections=none", sections, 0},
        {"sections=halt", sections, SECTION_HALT},
        {"sections=load,disturbance", sections, SECTION_LOAD | SECTION_DISTURBANCE},
        {"sections=+halt", sections, SECTIONS_DEFAULT | SECTION_HALT},
        {"sections=-vcpus,+load", sections, SECTION_COSTS | SECTION_LOAD},
        {"sections=all,-halt,-costs", sections, SECTION_VCPUS | SECTION_DISTURBANCE | SECTION_LOAD},
        {"fault=none", fault, FAULT_NONE},
        {"fault=de", fault, FAULT_DE},
        {"fault=ud", fault, FAULT_UD},
        {"fault=gp", fault, FAULT_GP},
        {"fault=pf", fault, FAULT_PF},
        {"fault=stack", fault, FAULT_STACK},
        {"fault=vcpu-stack", fault, FAULT_VCPU_STACK},
    };

    for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
        struct options options = parse(right[i].line);
        assert_int_equal(options.error_count, 0);
        assert_int_equal(right[i].get(&options), right[i].value);
    }
}

static void test_wrong_choices(void **state)
{
    (void)state;
    static const struct {
        const char *line, *expected, *used;
    } wrong[] = {
        {"stop=never", "precision or verdict", "stop=precision"},
        {"exit=stage-left", "auto, qemu, acpi, reset, efi or halt", "exit=auto"},
        {"strict=maybe", "on or off", "strict=off"},
        {"scan=deep", "standard or wide", "scan=standard"},
        {"cpus=0", "all, or how many vCPUs to examine, from 1 to 65536", "cpus=all"},
        {"cpus=65537", "all, or how many vCPUs to examine, from 1 to 65536", "cpus=all"},
        {"cpus=2s", "all, or how many vCPUs to examine, from 1 to 65536", "cpus=all"},
        {"skew=1", "a duration such as 1us, from 0 to 1s", "skew=1us"},
        {"skew=1001ms", "a duration such as 1us, from 0 to 1s", "skew=1us"},
        {"sections=vcpus,sundial",
         "a comma list of vcpus, costs, disturbance, halt, load, all and none, or of +NAME and "
         "-NAME",
         "sections=vcpus,costs"},
        {"sections=",
         "a comma list of vcpus, costs, disturbance, halt, load, all and none, or of +NAME and "
         "-NAME",
         "sections=vcpus,costs"},
        {"fault=nmi", "none, de, ud, gp, pf, stack or vcpu-stack", "fault=none"},
    };
    struct options defaults;

    options_default(&defaults);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct options options = parse(wrong[i].line);
        assert_one_error(&options, wrong[i].line, wrong[i].expected, wrong[i].used);
        options.error_count = 0;
        memset(options.errors, 0, sizeof(options.errors));
        assert_memory_equal(&options, &defaults, sizeof(options));
    }
}

static void test_clocks(void **state)
{
    (void)state;
    struct options options = parse("clocks=hpet,pit");

    assert_int_equal(options.error_count, 0);
    assert_int_equal(options.clock_count, 2);
    assert_string_equal(options.clocks[0], "hpet");
    assert_string_equal(options.clocks[1], "pit");
    options = parse("clocks=all");
    assert_int_equal(options.error_count, 0);
    assert_int_equal(options.clock_count, 0);
    options = parse("clocks=pit,pit,pit,pit,pit,pit,pit,pit,pit,pit,pit,pit,pit,pit,pit,pit");
    assert_int_equal(options.error_count, 0);
    assert_int_equal(options.clock_count, OPTION_CLOCKS_MAX);

    static const char *const wrong[] = {"clocks=",      "clocks=sundial", "clocks=hpet,sundial",
                                        "clocks=hpet,", "clocks=,",       "clocks=pi",
                                        "clocks=pitt",  "clocks=all,pit", "clocks=PIT"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        options = parse(wrong[i]);
        assert_one_error(&options, wrong[i], "all, or a comma list of pit, hpet, pmtimer, lapic",
                         "clocks=all");
        assert_int_equal(options.clock_count, 0);
    }
    options = parse("clocks=pit,pit,pit,pit,pit,pit,pit,pit,pit,pit,pit,pit,pit,pit,pit,pit,pit");
    assert_int_equal(options.error_count, 1);
    assert_int_equal(options.clock_count, 0);
}

// --- Assertions

static void test_expect(void **state)
{
    (void)state;
    static const struct expectation right[] = {
        {"vendor:KVM", EXPECT_VENDOR, "", "KVM", 0},
        {"vendor:qemu-tcg", EXPECT_VENDOR, "", "qemu-tcg", 0},
        {"boot:pvh", EXPECT_BOOT, "", "pvh", 0},
        {"tsc:2596130khz", EXPECT_TSC, "", "2596130khz", 2596130000000},
        {"tsc:2596.130164mhz", EXPECT_TSC, "", "2596.130164mhz", 2596130164000},
        {"tsc:2.5961301648ghz", EXPECT_TSC, "", "2.5961301648ghz", 2596130164800},
        {"tsc:0.001hz", EXPECT_TSC, "", "0.001hz", 1},
        {"tsc:1000ghz", EXPECT_TSC, "", "1000ghz", 1000000000000000},
        {"claim:leaf-0x15:ok", EXPECT_CLAIM, "leaf-0x15", "ok", 0},
        {"claim:leaf-0x15:off", EXPECT_CLAIM, "leaf-0x15", "off", 0},
        {"claim:x:inconclusive", EXPECT_CLAIM, "x", "inconclusive", 0},
        {"claim:x:absent", EXPECT_CLAIM, "x", "absent", 0},
        {"clock:hpet:live", EXPECT_CLOCK, "hpet", "live", 0},
        {"clock:hpet:coarse", EXPECT_CLOCK, "hpet", "coarse", 0},
        {"clock:hpet:absent", EXPECT_CLOCK, "hpet", "absent", 0},
        {"clock:hpet:dead", EXPECT_CLOCK, "hpet", "dead", 0},
        {"clock:hpet:stuck", EXPECT_CLOCK, "hpet", "stuck", 0},
        {"clock:hpet:backwards", EXPECT_CLOCK, "hpet", "backwards", 0},
        {"clock:hpet:disabled", EXPECT_CLOCK, "hpet", "disabled", 0},
        {"clock:rtc:slow", EXPECT_CLOCK, "rtc", "slow", 0},
        {"clock:hpet:unused", EXPECT_CLOCK, "hpet", "unused", 0},
        {"check:present-bit:pass", EXPECT_CHECK, "present-bit", "pass", 0},
        {"check:max-leaf-plausible:fail", EXPECT_CHECK, "max-leaf-plausible", "fail", 0},
        {"check:claims-agree:skip", EXPECT_CHECK, "claims-agree", "skip", 0},
        {"claim:1234567890123456789012345678901:absent", EXPECT_CLAIM,
         "1234567890123456789012345678901", "absent", 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
        char line[128];
        text_print(line, sizeof(line), "expect=%s", right[i].text);
        struct options options = parse(line);
        assert_int_equal(options.error_count, 0);
        assert_int_equal(options.expect_count, 1);
        assert_memory_equal(&options.expect[0], &right[i], sizeof(right[i]));
    }
    assert_int_equal(parse("expect=none").error_count, 0);
    assert_int_equal(parse("expect=none").expect_count, 0);
}

static void test_wrong_expect(void **state)
{
    (void)state;
    static const char any[] = "vendor:, boot:, tsc:, claim:, clock: or check: and a value";
    static const char vendor[] = "vendor:NAME", boot[] = "boot:WORD";
    static const char tsc[] = "tsc:RATE, a rate such as 2596130khz, up to 1000ghz";
    static const char claim[] = "claim:SOURCE:ok|off|inconclusive|absent";
    static const char clock[] =
        "clock:NAME:live|coarse|absent|dead|stuck|backwards|disabled|slow|unused";
    static const char check[] = "check:ID:pass|fail|skip, ID as checks=list says";
    static const struct {
        const char *item, *expected;
    } wrong[] = {
        {"", any},
        {"luck", any},
        {"colour:red", any},
        {":KVM", any},
        {"Vendor:KVM", any},
        {"vendor", vendor},
        {"vendor:", vendor},
        {"vendor:12345678901234567890123456789012", vendor}, // longer than any name
        {"boot", boot},
        {"boot:", boot},
        {"tsc:", tsc},
        {"tsc:fast", tsc},
        {"tsc:0", tsc},
        {"tsc:1000", tsc},
        {"tsc:0.0001hz", tsc},
        {"tsc:1000.001ghz", tsc},
        {"tsc:18446744073709551615ghz", tsc},
        {"claim", claim},
        {"claim:leaf-0x15", claim},
        {"claim:leaf-0x15:", claim},
        {"claim::ok", claim},
        {"claim:leaf-0x15:perhaps", claim},
        {"claim:leaf-0x15:ok:ok", claim},
        {"claim:leaf-0x15:ok|off", claim},
        {"claim:12345678901234567890123456789012:ok", claim},
        {"clock:hpet:ok", clock},
        {"clock:hpet", clock},
        {"check:present-bit:ok", check},
        {"check:max-leaf:pass", check},
        {"check", check},
    };

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        char word[128];
        text_print(word, sizeof(word), "expect=%s", wrong[i].item);
        struct options options = parse(word);
        assert_one_error(&options, word, wrong[i].expected, "nothing");
        assert_int_equal(options.expect_count, 0);
    }
}

static void test_a_list_of_expectations(void **state)
{
    (void)state;
    // A bad one is named by itself; the good ones stay.
    struct options options = parse("expect=vendor:KVM,luck,boot:pvh,claim:x:y");

    assert_int_equal(options.error_count, 2);
    assert_string_equal(options.errors[0].word, "expect=luck");
    assert_string_equal(options.errors[1].word, "expect=claim:x:y");
    assert_int_equal(options.expect_count, 2);
    assert_string_equal(options.expect[0].text, "vendor:KVM");
    assert_string_equal(options.expect[1].text, "boot:pvh");

    options = parse("expect=boot:a,boot:b,boot:c,boot:d,boot:e,boot:f,boot:g,boot:h,boot:i,boot:j,"
                    "boot:k,boot:l,boot:m,boot:n,boot:o,boot:p");
    assert_int_equal(options.error_count, 0);
    assert_int_equal(options.expect_count, EXPECT_MAX);
    options = parse("expect=boot:a,boot:b,boot:c,boot:d,boot:e,boot:f,boot:g,boot:h,boot:i,boot:j,"
                    "boot:k,boot:l,boot:m,boot:n,boot:o,boot:p,boot:q");
    assert_one_error(&options, "expect=boot:q", "at most 16 assertions", "nothing");
    assert_int_equal(options.expect_count, EXPECT_MAX);

    options = parse("expect=claim:123456789012345678901234567890:inconclusive:and-then-a-lot");
    assert_int_equal(options.error_count, 1);
    assert_string_equal(options.errors[0].expected,
                        "a printable assertion of at most 63 characters");
}

// --- Words that are none of ours

static void test_unknown_words(void **state)
{
    (void)state;
    static const char *const words[] = {"WINDOW=10ms", "windows=10ms", "windo=10ms", "=5", "=",
                                        "quiet=",      "consol=x",     "dummy=1",    "/=x"};
    // All keys are named, whichever there are: the first and the last, and nothing was cut.
    char expected[sizeof(((struct options *)NULL)->errors[0].expected)];

    text_print(expected, sizeof(expected), "%s", parse("x=1").errors[0].expected);
    assert_true(text_starts_with(expected, "key=value, the key one of window, duration, "));
    assert_string_equal(expected + text_length(expected) - 7, ", fault");
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        struct options options = parse(words[i]);
        assert_one_error(&options, words[i], expected, "nothing");
    }
    struct options options = parse("hypertick.elf window");
    assert_one_error(&options, "window", expected, "nothing");
    options = parse("window=10ms rubbish");
    assert_one_error(&options, "rubbish", expected, "nothing");
    assert_int_equal(options.window_ns, 10000000);
}

static void test_loader_words(void **state)
{
    (void)state;
    struct options options =
        parse("kernel dummy console=ttyS0 i8042.noaux window=10ms console=hvc0 ro");

    assert_int_equal(options.error_count, 0);
    assert_int_equal(options.window_ns, 10000000);
    assert_int_equal(options.ignored_count, 5);
    assert_string_equal(options.ignored[0], "dummy");
    assert_string_equal(options.ignored[1], "console=ttyS0");
    assert_string_equal(options.ignored[2], "i8042.noaux");
    assert_string_equal(options.ignored[3], "console=hvc0");
    assert_string_equal(options.ignored[4], "ro");

    options = parse("console=");
    assert_int_equal(options.error_count, 0);
    assert_int_equal(options.ignored_count, 1);
    options = parse("kernel dum dummyx root=/dev/sda console i8042");
    assert_int_equal(options.error_count, 5);
    assert_int_equal(options.ignored_count, 0);
}

static void test_more_loader_words_than_fit(void **state)
{
    (void)state;
    struct options options = parse("kernel ro ro ro ro ro ro ro ro ro ro ro ro ro ro ro ro");

    assert_int_equal(options.error_count, 0);
    assert_int_equal(options.ignored_count, OPTION_IGNORED_MAX);
    options = parse("kernel ro ro ro ro ro ro ro ro ro ro ro ro ro ro ro ro dummy");
    assert_one_error(&options, "dummy", "at most 16 words that a loader adds", "nothing");
    assert_int_equal(options.ignored_count, OPTION_IGNORED_MAX);
}

// --- The line

static void test_a_key_given_twice(void **state)
{
    (void)state;
    struct options options = parse("window=10ms window=20ms");

    assert_one_error(&options, "window=20ms", "window= only once", "window=20ms");
    assert_int_equal(options.window_ns, 20000000);
    options = parse("window=10ms window=soon");
    assert_one_error(&options, "window=soon", "a duration such as 100ms, from 1ms to 24h",
                     "window=10ms");
    assert_int_equal(options.window_ns, 10000000);
    options = parse("window=soon window=10ms");
    assert_int_equal(options.error_count, 2);
    assert_string_equal(options.errors[0].used, "window=1000ms");
    assert_string_equal(options.errors[1].used, "window=10ms");
    assert_int_equal(options.window_ns, 10000000);
    options = parse("clocks=pit clocks=hpet");
    assert_one_error(&options, "clocks=hpet", "clocks= only once", "clocks=hpet");
    assert_int_equal(options.clock_count, 1);
    assert_string_equal(options.clocks[0], "hpet");
    options = parse("expect=boot:a,boot:b expect=boot:c");
    assert_one_error(&options, "expect=boot:c", "expect= only once", "expect=boot:c");
    assert_int_equal(options.expect_count, 1);
    assert_string_equal(options.expect[0].text, "boot:c");
}

static void test_white_space(void **state)
{
    (void)state;
    struct options options = parse("\t window=10ms\r\nprecision=1ppm\t\ttolerance=2ppm  \n");

    assert_int_equal(options.error_count, 0);
    assert_int_equal(options.window_ns, 10000000);
    assert_int_equal(options.precision_ppb, 1000);
    assert_int_equal(options.tolerance_ppb, 2000);
}

static void test_the_values_before_the_line_stay(void **state)
{
    (void)state;
    struct options options = parse_over(parse("window=10ms strict=on"), "precision=0");

    assert_int_equal(options.error_count, 0);
    assert_int_equal(options.window_ns, 10000000);
    assert_int_equal(options.precision_ppb, 0);
    assert_true(options.strict);
}

static void test_what_cannot_be_shown(void **state)
{
    (void)state;
    struct options options = parse("window=\033[2J\177\200\377");

    assert_int_equal(options.error_count, 1);
    assert_string_equal(options.errors[0].word, "window=?[2J???");
    options = parse("expect=vendor:K\001M");
    assert_int_equal(options.error_count, 1);
    assert_string_equal(options.errors[0].word, "expect=vendor:K?M");
    assert_int_equal(options.expect_count, 0);
    options = parse("console=\033c~");
    assert_string_equal(options.ignored[0], "console=?c~");
}

static void test_long_words_are_cut_visibly(void **state)
{
    (void)state;
    char line[4096];

    // 63 characters fit, 64 do not.
    memset(line, 'x', sizeof(line));
    line[0] = '=';
    line[63] = '\0';
    assert_string_equal(parse(line).errors[0].word, line);
    line[63] = 'x';
    line[64] = '\0';
    struct options options = parse(line);
    assert_int_equal(options.error_count, 1);
    assert_int_equal(strlen(options.errors[0].word), 63);
    assert_memory_equal(options.errors[0].word, line, 60);
    assert_string_equal(options.errors[0].word + 60, "...");

    memset(line, '9', sizeof(line));
    memcpy(line, "window=", 7);
    line[sizeof(line) - 1] = '\0';
    options = parse(line);
    assert_int_equal(options.error_count, 1);
    assert_int_equal(options.window_ns, 1000000000);

    memset(line, 'y', sizeof(line));
    memcpy(line, "expect=vendor:", 14);
    line[sizeof(line) - 1] = '\0';
    options = parse(line);
    assert_int_equal(options.error_count, 1);
    assert_int_equal(options.expect_count, 0);
}

static void test_more_errors_than_fit_are_counted(void **state)
{
    (void)state;
    char line[1024];
    struct text text;

    text_init(&text, line, sizeof(line));
    for (unsigned i = 0; i < 40; i++)
        text_format(&text, "bad%u=1 ", i);
    struct options options = parse(line);
    assert_int_equal(options.error_count, 40);
    assert_string_equal(options.errors[OPTION_ERRORS_MAX - 1].word, "bad15=1");
    assert_int_equal(options.ignored_count, 0);
}

// Random lines of pieces that mean something, and bytes that mean nothing: the results stay in
// their ranges, and what is not understood is an error.
static void test_random_lines(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "window",     "=",    "1",       "9",          "ms",   "h",       ".",         " ",
        "precision=", "ppm",  "clocks=", "pit",        ",",    "expect=", "claim:",    "tsc:",
        "ghz",        ":",    "ok",      "com1=",      "text", "+json",   "console=",  "\t",
        "\001",       "\377", "0",       "tolerance=", "all",  "i8042.",  "window=1s", "window=5ms",
    };
    struct stream source = {.random = 1};
    size_t windows = 0;

    for (int i = 0; i < 100000; i++) {
        char line[256];
        struct text text;
        text_init(&text, line, sizeof(line));
        for (uint64_t count = stream_below(&source, 20); count > 0; count--)
            text_string(&text, pieces[stream_below(&source, ARRAY_SIZE(pieces))]);
        struct options options = parse(line);
        assert_in_range(options.window_ns, 1000000, 86400000000000);
        assert_in_range(options.precision_ppb, 0, 1000000);
        assert_in_range(options.tolerance_ppb, 1, 100000000);
        assert_in_range(options.clock_count, 0, OPTION_CLOCKS_MAX);
        assert_in_range(options.expect_count, 0, EXPECT_MAX);
        assert_in_range(options.ignored_count, 0, OPTION_IGNORED_MAX);
        for (size_t j = 0; j < options.error_count && j < OPTION_ERRORS_MAX; j++) {
            assert_int_not_equal(options.errors[j].word[0], '\0');
            assert_int_not_equal(options.errors[j].expected[0], '\0');
            assert_int_not_equal(options.errors[j].used[0], '\0');
        }
        windows += options.window_ns != 1000000000;
    }
    assert_true(windows > 100); // the lines were not all rubbish
}

// --- Sources

static struct options parse_three(const char *first, const char *second, const char *third)
{
    const struct option_source sources[] = {
        {"one", first, NULL}, {"two", second, NULL}, {NULL, third, loader_words}};
    struct options options;

    options_default(&options);
    options_parse(&options, sources, ARRAY_SIZE(sources), clocks);
    return options;
}

static void test_later_sources_are_stronger(void **state)
{
    (void)state;
    struct options options = parse_three("window=10ms exit=halt precision=1ppm",
                                         "exit=acpi precision=2ppm", "file precision=3ppm");
    assert_int_equal(options.error_count, 0);
    assert_int_equal(options.window_ns, 10000000);
    assert_int_equal(options.exit, EXIT_ACPI);
    assert_int_equal(options.precision_ppb, 3000);
    options = parse_three("expect=boot:pvh,vendor:kvm", "", "expect=boot:efi");
    assert_int_equal(options.error_count, 0);
    assert_int_equal(options.expect_count, 1);
    assert_string_equal(options.expect[0].value, "efi");
}

static void test_errors_name_their_source(void **state)
{
    (void)state;
    struct options options = parse_three("window=10ms window=20ms", "dummy", "window=soon");
    assert_int_equal(options.error_count, 3);
    assert_string_equal(options.errors[0].source, "one");
    assert_string_equal(options.errors[0].expected, "window= only once");
    assert_string_equal(options.errors[1].source, "two");
    assert_string_equal(options.errors[1].word, "dummy"); // neither a file name nor a loader's word
    assert_null(options.errors[2].source);
    assert_string_equal(options.errors[2].used, "window=20ms"); // of an earlier source
    assert_int_equal(options.window_ns, 20000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_an_empty_line_changes_nothing),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_duration),
        cmocka_unit_test(test_precision_and_tolerance),
        cmocka_unit_test(test_sinks),
        cmocka_unit_test(test_sinks_that_come_by_themselves),
        cmocka_unit_test(test_choices),
        cmocka_unit_test(test_wrong_choices),
        cmocka_unit_test(test_clocks),
        cmocka_unit_test(test_expect),
        cmocka_unit_test(test_wrong_expect),
        cmocka_unit_test(test_a_list_of_expectations),
        cmocka_unit_test(test_unknown_words),
        cmocka_unit_test(test_loader_words),
        cmocka_unit_test(test_more_loader_words_than_fit),
        cmocka_unit_test(test_a_key_given_twice),
        cmocka_unit_test(test_two_sources),
        cmocka_unit_test(test_white_space),
        cmocka_unit_test(test_the_values_before_the_line_stay),
        cmocka_unit_test(test_what_cannot_be_shown),
        cmocka_unit_test(test_long_words_are_cut_visibly),
        cmocka_unit_test(test_more_errors_than_fit_are_counted),
        cmocka_unit_test(test_random_lines),
        cmocka_unit_test(test_later_sources_are_stronger),
        cmocka_unit_test(test_errors_name_their_source),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
