// What must be true of every run on a random machine.
#include "tests/sim/random_machine.h"
#include "tests/sim/records.h"

#include <stdio.h>
#include <string.h>

// What a run may take besides its window, interrupted as often as can be: two seconds, and the
// patience with each clock that stands still, which is counted in TSC cycles.
#define REST_NS         2000000000u
#define PATIENCE_CYCLES 50000000u

static char said[256];

// --- Truth

// Is the true rate of `clock`, in millihertz, inside [low, high]?
static bool encloses(int64_t low, int64_t high, const struct sim_clock *clock)
{
    uint128 numerator =
        (uint128)clock->hz_numerator * 1000 * (uint64_t)(1000000000 + clock->error_ppb);
    uint128 denominator = (uint128)clock->hz_denominator * 1000000000;

    return low >= 0 && denominator * (uint64_t)low <= numerator &&
           numerator <= denominator * (uint64_t)high;
}

// The same if each tick of the reference clock were one of its nominal rate: the true TSC rate
// times nominal / true. Long double has 64 bits, and 10^-6 Hz of a millihertz that was rounded
// outwards is far more than its error.
static bool raw_encloses(int64_t low, int64_t high, const struct sim_clock *tsc,
                         const struct sim_clock *clock, long double nominal_hz)
{
    long double tsc_hz = (long double)tsc->hz_numerator / (long double)tsc->hz_denominator *
                         (1 + (long double)tsc->error_ppb / 1e9L);
    long double clock_hz = (long double)clock->hz_numerator / (long double)clock->hz_denominator *
                           (1 + (long double)clock->error_ppb / 1e9L);
    long double raw = 1000 * tsc_hz * nominal_hz / clock_hz;

    return (long double)low <= raw + 0.001L && raw - 0.001L <= (long double)high;
}

static bool read_interval(const struct record *record, const char *low_key, const char *high_key,
                          int64_t *low, int64_t *high)
{
    return record_thousandths(record, low_key, low) && record_thousandths(record, high_key, high);
}

static const struct sim_clock *clock_at(const struct sim_config *config, size_t index)
{
    const struct sim_clock *const clocks[RANDOM_CLOCKS] = {
        &config->pit.clock, &config->hpet.clock, &config->pm_timer.clock, &config->lapic.clock};

    return clocks[index];
}

static long double nominal_hz(const struct sim_config *config, size_t index)
{
    const long double nominals[RANDOM_CLOCKS] = {105e6L / 88, 1e15L / config->hpet.period_fs,
                                                 315e6L / 88, 1e9L};

    return nominals[index];
}

static const char *check_measurement(const struct random_machine *machine, const char *lines,
                                     size_t index)
{
    const struct sim_config *config = &machine->config;
    const char *name = random_clock_names[index];
    struct record record;
    int64_t low, high;

    if (!record_find(lines, "measurement", "clock", name, &record) ||
        !read_interval(&record, "low_hz", "high_hz", &low, &high))
        return NULL;
    if (!encloses(low, high, &config->tsc)) {
        snprintf(said, sizeof(said), "the enclosure of %s excludes the truth: %.*s", name,
                 (int)record.length, record.line);
        return said;
    }
    if (!read_interval(&record, "raw_low_hz", "raw_high_hz", &low, &high) ||
        !raw_encloses(low, high, &config->tsc, clock_at(config, index),
                      nominal_hz(config, index))) {
        snprintf(said, sizeof(said), "the raw enclosure of %s excludes the truth: %.*s", name,
                 (int)record.length, record.line);
        return said;
    }
    return NULL;
}

// The clocks that no field of struct random_machine is about.
static const char *check_other_clocks(const struct random_machine *machine, const char *lines)
{
    static const char *const names[] = {"rtc", "hyperv-refcount", "pvclock"};
    struct record record;
    int64_t low, high;

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (record_find(lines, "measurement", "clock", names[i], &record) &&
            read_interval(&record, "low_hz", "high_hz", &low, &high) &&
            !encloses(low, high, &machine->config.tsc)) {
            snprintf(said, sizeof(said), "the enclosure of %s excludes the truth: %.*s", names[i],
                     (int)record.length, record.line);
            return said;
        }
    return NULL;
}

const char *random_check_combined(const struct random_machine *machine,
                                  const struct sim_result *result)
{
    const char *lines = result->com2.bytes;
    struct record record;
    int64_t low, high, estimate;

    if (!record_find(lines, "measurement", "clock", "all", &record))
        return "there is no combined measurement";
    if (read_interval(&record, "low_hz", "high_hz", &low, &high)) {
        if (!encloses(low, high, &machine->config.tsc))
            return "the combined enclosure excludes the truth";
        if (!record_thousandths(&record, "estimate_hz", &estimate) || estimate < low ||
            estimate > high)
            return "the estimate lies outside of its enclosure";
    }
    if (record_find(lines, "rate", "clock", "lapic", &record)) {
        if (!read_interval(&record, "low_hz", "high_hz", &low, &high) ||
            !encloses(low, high, &machine->config.lapic.clock))
            return "the enclosure of the bus rate excludes the truth";
    }
    return NULL;
}

// --- The rest

static bool among(const struct record *record, const char *words)
{
    char list[64];

    snprintf(list, sizeof(list), "%s", words);
    for (char *word = strtok(list, " "); word; word = strtok(NULL, " "))
        if (record_is(record, "status", word))
            return true;
    return false;
}

static const char *check_statuses(const struct random_machine *machine, const char *lines)
{
    for (size_t i = 0; i < RANDOM_CLOCKS; i++) {
        struct record record;
        if (!record_find(lines, "clock", "clock", random_clock_names[i], &record))
            return "a clock has no record";
        if (machine->statuses[i] && !among(&record, machine->statuses[i])) {
            snprintf(said, sizeof(said), "expected %s to be %s: %.*s", random_clock_names[i],
                     machine->statuses[i], (int)record.length, record.line);
            return said;
        }
    }
    return NULL;
}

static const char *check_form(const char *lines)
{
    struct record record = {"", 0};
    int64_t count, records = 0;

    while (record_next(&lines, &record)) {
        records++;
        if (!record_is_sound(&record)) {
            snprintf(said, sizeof(said), "no sound record: %.*s", (int)record.length, record.line);
            return said;
        }
    }
    if (!record_is(&record, "record", "end") || *lines)
        return "the last line is no end record";
    if (!record_integer(&record, "records", &count) || count != records)
        return "the end record counts wrong";
    return NULL;
}

static const char *check_text(const char *text)
{
    const char *untidy = record_untidy_line(text);

    if (untidy)
        snprintf(said, sizeof(said), "over 100 columns, or a space at the end: \"%.*s\"",
                 (int)strcspn(untidy, "\r\n"), untidy);
    return untidy ? said : NULL;
}

const char *random_check(const struct random_machine *machine, const struct sim_result *result)
{
    const char *lines = result->com2.bytes;
    const char *wrong;

    if (result->exit == SIM_HUNG)
        return "it exceeds its bounds";
    if (result->violation_count) {
        sim_print_violations(result);
        return "it breaks the rules of the machine";
    }
    uint64_t patience_ns =
        RANDOM_CLOCKS * PATIENCE_CYCLES * 1000000000u / machine->config.tsc.hz_numerator;
    if (result->time_ns > machine->window_ns / 20 * 23 + REST_NS + patience_ns)
        return "it takes too long";
    wrong = check_form(lines);
    if (!wrong)
        wrong = check_text(result->com1.bytes);
    if (!wrong)
        wrong = check_statuses(machine, lines);
    for (size_t i = 0; i < RANDOM_CLOCKS && !wrong; i++)
        wrong = check_measurement(machine, lines, i);
    if (!wrong)
        wrong = check_other_clocks(machine, lines);
    return wrong ? wrong : random_check_combined(machine, result);
}
