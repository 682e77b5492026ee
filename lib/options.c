#include "lib/options.h"

#include "lib/check.h"
#include "lib/span.h"

#define MS     1000000ull // durations are in nanoseconds
#define SECOND 1000000000ull
#define HOUR   (3600 * SECOND)
#define PPM    1000ull // ratios are in ppb

// Counts an error; keeps it where there is room.
static void complain(struct options *options, const char *prefix, struct span word,
                     const char *expected, const char *used)
{
    size_t index = options->error_count++;

    if (index >= OPTION_ERRORS_MAX)
        return;
    struct option_error *error = &options->errors[index];
    span_show(error->word, sizeof(error->word), prefix, word);
    text_print(error->expected, sizeof(error->expected), "%s", expected);
    text_print(error->used, sizeof(error->used), "%s", used);
}

// --- Units and words. Each table ends with a NULL.

static const struct unit durations[] = {
    {"ns", 1},          {"us", 1000}, {"ms", MS},       {"s", SECOND},
    {"m", 60 * SECOND}, {"h", HOUR},  {"d", 24 * HOUR}, {NULL, 0},
};
static const struct unit ratios[] = {
    {"ppb", 1},
    {"ppm", PPM},
    {NULL, 0},
};
static const struct unit rates[] = {
    {"hz", MILLIHERTZ_PER_HZ},
    {"khz", MILLIHERTZ_PER_KHZ},
    {"mhz", MILLIHERTZ_PER_MHZ},
    {"ghz", MILLIHERTZ_PER_GHZ},
    {NULL, 0},
};

static const struct unit counts[] = {
    {"", 1},
    {NULL, 0},
};

struct choice {
    const char *word;
    unsigned value;
};

static bool choose(struct span value, const struct choice *choices, unsigned *chosen)
{
    for (; choices->word; choices++) {
        if (!span_is(value, choices->word))
            continue;
        *chosen = choices->value;
        return true;
    }
    return false;
}

// --- Assertions

#define CLAIM_WORDS "ok|off|inconclusive|absent"
#define CLOCK_WORDS "live|coarse|absent|dead|stuck|backwards|disabled|slow|unused"
#define CHECK_WORDS "pass|fail|skip"

static const struct assertion {
    const char *word;
    bool has_subject;
    const char *values; // with '|' between them; NULL: any word
    const char *expected;
} assertions[] = {
    [EXPECT_VENDOR] = {"vendor", false, NULL, "vendor:NAME"},
    [EXPECT_BOOT] = {"boot", false, NULL, "boot:WORD"},
    [EXPECT_TSC] = {"tsc", false, NULL, "tsc:RATE, a rate such as 2596130khz, up to 1000ghz"},
    [EXPECT_CLAIM] = {"claim", true, CLAIM_WORDS, "claim:SOURCE:" CLAIM_WORDS},
    [EXPECT_CLOCK] = {"clock", true, CLOCK_WORDS, "clock:NAME:" CLOCK_WORDS},
    [EXPECT_CHECK] = {"check", true, CHECK_WORDS,
                      "check:ID:" CHECK_WORDS ", ID as checks=list says"},
};

// Parses one assertion. Gives NULL, or what was expected.
static const char *assertion(struct span item, struct expectation *out)
{
    struct span rest = item;
    struct span word = span_take(&rest, ':');
    size_t kind = 0;

    while (kind < ARRAY_SIZE(assertions) && !span_is(word, assertions[kind].word))
        kind++;
    if (kind == ARRAY_SIZE(assertions))
        return "vendor:, boot:, tsc:, claim:, clock: or check: and a value";
    const struct assertion *form = &assertions[kind];

    memset(out, 0, sizeof(*out));
    out->kind = kind;
    if (!span_copy(out->text, sizeof(out->text), item))
        return "a printable assertion of at most 63 characters";
    if (form->has_subject && !span_copy(out->subject, sizeof(out->subject), span_take(&rest, ':')))
        return form->expected;
    if (!rest.start || !span_copy(out->value, sizeof(out->value), rest))
        return form->expected;
    if (form->values && !span_is_one_of(rest, form->values))
        return form->expected;
    if (out->kind == EXPECT_CHECK && !check_exists(out->subject))
        return form->expected;
    if (out->kind == EXPECT_TSC &&
        !span_number(rest, rates, 1, 1000 * MILLIHERTZ_PER_GHZ, &out->millihertz))
        return form->expected;
    return NULL;
}

// --- What a value can be

struct parser {
    struct options *options;
    const char *const *clock_names;
};

struct key {
    const char *name;
    const char *initial; // the default, as one would write it
    const char *expected;
    bool (*parse)(const struct parser *parser, const struct key *key, struct span value);
    // For those that need no code of their own: the member of struct options, and its values.
    size_t member;
    const struct choice *choices;
    const struct unit *units;
    uint64_t low, high;
};

static void *member_of(const struct parser *parser, const struct key *key)
{
    return (char *)parser->options + key->member;
}

// The member is a uint64_t.
static bool parse_number(const struct parser *parser, const struct key *key, struct span value)
{
    return span_number(value, key->units, key->low, key->high, member_of(parser, key));
}

// The member is an unsigned, or an enum, which is one.
static bool parse_choice(const struct parser *parser, const struct key *key, struct span value)
{
    return choose(value, key->choices, member_of(parser, key));
}

static bool parse_flag(const struct parser *parser, const struct key *key, struct span value)
{
    unsigned chosen;

    if (!choose(value, key->choices, &chosen))
        return false;
    *(bool *)member_of(parser, key) = chosen;
    return true;
}

static bool parse_duration(const struct parser *parser, const struct key *key, struct span value)
{
    uint64_t *duration_ns = &parser->options->duration_ns;

    if (!span_is(value, "off") && !span_is(value, "forever"))
        return parse_number(parser, key, value);
    *duration_ns = span_is(value, "forever") ? DURATION_FOREVER : 0;
    return true;
}

static bool parse_clocks(const struct parser *parser, const struct key *key, struct span value)
{
    char names[OPTION_CLOCKS_MAX][16];
    size_t count = 0;

    (void)key;
    if (span_is(value, "all")) {
        parser->options->clock_count = 0;
        return true;
    }
    while (value.start) {
        struct span name = span_take(&value, ',');
        const char *const *known = parser->clock_names;
        while (*known && !span_is(name, *known))
            known++;
        if (!*known || count == OPTION_CLOCKS_MAX ||
            !span_copy(names[count], sizeof(names[count]), name))
            return false;
        count++;
    }
    memcpy(parser->options->clocks, names, count * sizeof(names[0]));
    parser->options->clock_count = count;
    return true;
}

// Names the bad assertion itself, not the list that it stands in; those that are right are kept.
static bool parse_expect(const struct parser *parser, const struct key *key, struct span value)
{
    struct options *options = parser->options;

    (void)key;
    options->expect_count = 0;
    if (span_is(value, "none"))
        return true;
    while (value.start) {
        struct span item = span_take(&value, ',');
        struct expectation expectation;
        const char *expected = assertion(item, &expectation);
        if (!expected && options->expect_count == EXPECT_MAX)
            expected = "at most 16 assertions";
        if (expected)
            complain(options, "expect=", item, expected, "nothing");
        else
            options->expect[options->expect_count++] = expectation;
    }
    return true;
}

_Static_assert(EXPECT_MAX == 16, "the message in parse_expect says so");

static bool parse_cpus(const struct parser *parser, const struct key *key, struct span value)
{
    uint64_t count = 0;

    (void)key;
    if (!span_is(value, "all") && !span_number(value, counts, 1, 65536, &count))
        return false;
    parser->options->cpus = (unsigned)count;
    return true;
}

static bool parse_sections(const struct parser *parser, const struct key *key, struct span value)
{
    // A list that begins with a sign changes the default, any other one replaces it.
    bool changes = span_begins(value, "+") || span_begins(value, "-");
    unsigned asked = changes ? SECTIONS_DEFAULT : 0;

    while (value.start) {
        struct span name = span_take(&value, ',');
        bool removes = span_begins(name, "-");
        unsigned chosen;
        if (removes || span_begins(name, "+")) {
            name.start++;
            name.length--;
        }
        if (!choose(name, key->choices, &chosen))
            return false;
        asked = removes ? asked & ~chosen : asked | chosen;
    }
    parser->options->sections = asked;
    return true;
}

// --- The keys

static const struct choice auto_sinks[] = {{"auto", SINK_AUTO},
                                           {"text", SINK_TEXT},
                                           {"json", SINK_JSON},
                                           {"text+json", SINK_TEXT | SINK_JSON},
                                           {"json+text", SINK_TEXT | SINK_JSON},
                                           {"tap", SINK_TAP},
                                           {"off", 0},
                                           {NULL, 0}};
static const struct choice stops[] = {
    {"precision", STOP_PRECISION}, {"verdict", STOP_VERDICT}, {NULL, 0}};
static const struct choice exits[] = {{"auto", EXIT_AUTO},
                                      {"qemu", EXIT_QEMU},
                                      {"acpi", EXIT_ACPI},
                                      {"reset", EXIT_RESET},
                                      {"efi", EXIT_EFI},
                                      {"halt", EXIT_HALT},
                                      {NULL, 0}};
static const struct choice on_off[] = {{"off", false}, {"on", true}, {NULL, 0}};
static const struct choice scans[] = {{"standard", false}, {"wide", true}, {NULL, 0}};
static const struct choice checks[] = {
    {"on", CHECKS_ON}, {"off", CHECKS_OFF}, {"list", CHECKS_LIST}, {NULL, 0}};
static const struct choice sections[] = {{"vcpus", SECTION_VCPUS},
                                         {"costs", SECTION_COSTS},
                                         {"disturbance", SECTION_DISTURBANCE},
                                         {"halt", SECTION_HALT},
                                         {"load", SECTION_LOAD},
                                         {"all", SECTIONS_ALL},
                                         {"none", 0},
                                         {NULL, 0}};
static const struct choice faults[] = {{"none", FAULT_NONE},
                                       {"de", FAULT_DE},
                                       {"ud", FAULT_UD},
                                       {"gp", FAULT_GP},
                                       {"pf", FAULT_PF},
                                       {"stack", FAULT_STACK},
                                       {"vcpu-stack", FAULT_VCPU_STACK},
                                       {NULL, 0}};

#define SINKS  (&auto_sinks[1])
#define A_SINK "text, json, text+json, tap or off"

// How the value is parsed, for the rows of `keys`.
#define NUMBER(name, units, low, high)                                                             \
    parse_number, offsetof(struct options, name), NULL, units, low, high
#define CHOICE(name, choices) parse_choice, offsetof(struct options, name), choices, NULL, 0, 0
#define FLAG(name, choices)   parse_flag, offsetof(struct options, name), choices, NULL, 0, 0
#define OWN(parse)            parse, 0, NULL, NULL, 0, 0

static const struct key keys[] = {
    {"window", "1000ms", "a duration such as 100ms, from 1ms to 24h",
     NUMBER(window_ns, durations, MS, 24 * HOUR)},
    {"duration", "off", "off, forever, or a duration such as 10s, from 1ms to 366d", parse_duration,
     offsetof(struct options, duration_ns), NULL, durations, MS, 366ull * 24 * HOUR},
    {"precision", "0.5ppm", "a ratio such as 0.5ppm, from 0 to 1000ppm",
     NUMBER(precision_ppb, ratios, 0, 1000 * PPM)},
    {"tolerance", "50ppm", "a ratio such as 50ppm, from 1ppb to 100000ppm",
     NUMBER(tolerance_ppb, ratios, 1, 100000 * PPM)},
    {"stop", "precision", "precision or verdict", CHOICE(stop, stops)},
    {"clocks", "all", "all, or a comma list of", OWN(parse_clocks)},
    {"com1", "text", A_SINK, CHOICE(com1, SINKS)},
    {"com2", "json", A_SINK, CHOICE(com2, SINKS)},
    {"com3", "off", A_SINK, CHOICE(com3, SINKS)},
    {"com4", "off", A_SINK, CHOICE(com4, SINKS)},
    {"pciserial", "auto", "auto, " A_SINK, CHOICE(pciserial, auto_sinks)},
    {"debugcon", "auto", "auto, " A_SINK, CHOICE(debugcon, auto_sinks)},
    {"screen", "text", A_SINK, CHOICE(screen, SINKS)},
    {"expect", "none", "a comma list of assertions", OWN(parse_expect)},
    {"exit", "auto", "auto, qemu, acpi, reset, efi or halt", CHOICE(exit, exits)},
    {"strict", "off", "on or off", FLAG(strict, on_off)},
    {"scan", "standard", "standard or wide", FLAG(scan_wide, scans)},
    {"checks", "on", "on, off or list", CHOICE(checks, checks)},
    {"cpus", "all", "all, or how many vCPUs to examine, from 1 to 65536", OWN(parse_cpus)},
    {"skew", "1us", "a duration such as 1us, from 0 to 1s", NUMBER(skew_ns, durations, 0, SECOND)},
    {"sections", "vcpus,costs",
     "a comma list of vcpus, costs, disturbance, halt, load, all and none, or of +NAME and -NAME",
     parse_sections, 0, sections, NULL, 0, 0},
    {"fault", "none", "none, de, ud, gp, pf, stack or vcpu-stack", CHOICE(fault, faults)},
};

void options_default(struct options *options)
{
    static const char *const no_clocks[] = {NULL};
    struct parser parser = {options, no_clocks};

    memset(options, 0, sizeof(*options));
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        keys[i].parse(&parser, &keys[i], span_of(keys[i].initial));
}

// What the line has said about a key so far.
struct state {
    struct span in_force;
    bool seen;
};

static void expected_of(const struct parser *parser, const struct key *key, char *out, size_t size)
{
    struct text text;

    text_init(&text, out, size);
    text_string(&text, key->expected);
    for (size_t i = 0; key->parse == parse_clocks && parser->clock_names[i]; i++)
        text_format(&text, "%s%s", i ? ", " : " ", parser->clock_names[i]);
}

static void parse_value(const struct parser *parser, const struct key *key, struct state *state,
                        struct span word, struct span value)
{
    struct options *options = parser->options;
    size_t errors_before = options->error_count;
    bool good = key->parse(parser, key, value);
    char prefix[16];
    char expected[sizeof(options->errors[0].expected)];
    char used[sizeof(options->errors[0].used)];

    if (good)
        state->in_force = value;
    text_print(prefix, sizeof(prefix), "%s=", key->name);
    span_show(used, sizeof(used), prefix, state->in_force);
    if (!good)
        expected_of(parser, key, expected, sizeof(expected));
    else
        text_print(expected, sizeof(expected), "%s only once", prefix);
    // One word, one complaint: what is wrong in itself counts more than that it is a repetition.
    if (!good || (state->seen && options->error_count == errors_before))
        complain(options, "", word, expected, used);
    state->seen = true;
}

static void ignore(struct options *options, struct span word)
{
    size_t index = options->ignored_count;

    if (index == OPTION_IGNORED_MAX) {
        complain(options, "", word, "at most 16 words that a loader adds", "nothing");
        return;
    }
    span_show(options->ignored[index], sizeof(options->ignored[index]), "", word);
    options->ignored_count++;
}

_Static_assert(OPTION_IGNORED_MAX == 16, "the message in ignore says so");

static bool is_loader_word(struct span word, const char *const *loader_words)
{
    for (; *loader_words; loader_words++) {
        char last = (*loader_words)[text_length(*loader_words) - 1];
        bool is_prefix = last == '=' || last == '.';
        if (is_prefix ? span_begins(word, *loader_words) : span_is(word, *loader_words))
            return true;
    }
    return false;
}

static void parse_word(const struct parser *parser, struct state states[ARRAY_SIZE(keys)],
                       struct span word, const char *const *loader_words)
{
    struct span value = word;
    struct span name = span_take(&value, '=');

    for (size_t i = 0; value.start && i < ARRAY_SIZE(keys); i++) {
        if (!span_is(name, keys[i].name))
            continue;
        parse_value(parser, &keys[i], &states[i], word, value);
        return;
    }
    if (is_loader_word(word, loader_words)) {
        ignore(parser->options, word);
        return;
    }
    char expected[sizeof(parser->options->errors[0].expected)];
    struct text text;
    text_init(&text, expected, sizeof(expected));
    text_string(&text, "key=value, the key one of");
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        text_format(&text, "%s%s", i ? ", " : " ", keys[i].name);
    complain(parser->options, "", word, expected, "nothing");
}

const char *options_behind_file_name(const char *line)
{
    const char *second = line;
    struct span word = span_take_word(&second);
    bool separator = span_is(word, "--");

    span_take(&word, '=');
    if (word.start || separator)
        second = line;
    return span_take_word(&second).start;
}

static void parse_line(const struct parser *parser, struct state states[ARRAY_SIZE(keys)],
                       const struct option_source *source)
{
    static const char *const none[] = {NULL};
    const char *line = source->line;
    bool begins = true;

    for (;;) {
        for (size_t i = 0; begins && i < ARRAY_SIZE(keys); i++)
            states[i].seen = false;
        if (begins && source->loader_words)
            line = options_behind_file_name(line);
        struct span word = span_take_word(&line);
        if (!word.length)
            return;
        begins = span_is(word, "--");
        if (!begins)
            parse_word(parser, states, word, source->loader_words ? source->loader_words : none);
    }
}

void options_parse(struct options *options, const struct option_source *sources, size_t count,
                   const char *const *clock_names)
{
    struct parser parser = {options, clock_names};
    struct state states[ARRAY_SIZE(keys)];

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        states[i] = (struct state){span_of(keys[i].initial), false};
    for (size_t i = 0; i < count; i++) {
        size_t error = options->error_count;
        parse_line(&parser, states, &sources[i]);
        for (; error < options->error_count && error < OPTION_ERRORS_MAX; error++)
            options->errors[error].source = sources[i].name;
    }
}
