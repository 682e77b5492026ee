// Every oddity that a guest can see, injected: small enough to be hidden, it is not reported; large
// enough to be proven, it is reported under its name; and nothing else is. docs/oddities.md has the
// table and the thresholds.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/random_machine.h"
#include "tests/sim/run.h"

#define BILLION 1000000000
#define MS      1000000ull

// --- All complaints of a run

static void add(char list[512], const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(char list[512], const char *format, ...)
{
    size_t used = strlen(list);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(list + used, 512 - used, format, arguments);
    va_end(arguments);
}

// Copies the string under `key`; "" where there is none.
static const char *word(struct record record, const char *key, char out[96])
{
    char pattern[32];
    size_t length = 0;

    snprintf(pattern, sizeof(pattern), "\"%s\":\"", key);
    const char *start = strstr(record.line, pattern);
    if (start && start < record.line + record.length) {
        start += strlen(pattern);
        length = strcspn(start, "\"");
    }
    snprintf(out, 96, "%.*s", (int)length, start ? start : "");
    return out;
}

static bool is_named(const char *list, const char *name)
{
    return strstr(list, name) != NULL;
}

// The oddities of the last run as "id(subject) ...". Whatever else it complains of must be about
// one of them: breaks, clocks without a vote, claims of the platform that are off, warnings.
static const char *complaints(void)
{
    static char list[512];
    const char *lines = result.com2.bytes;
    size_t breaks = 0;
    char id[96], subject[96];
    struct record record;

    list[0] = '\0';
    while (record_next(&lines, &record)) {
        if (!record_is(&record, "record", "oddity"))
            continue;
        word(record, "id", id);
        add(list, "%s%s(%s)", list[0] ? " " : "", id, word(record, "subject", subject));
        breaks += !strcmp(id, "step") || !strcmp(id, "rate-change") || !strcmp(id, "stall") ||
                  !strcmp(id, "wall-clock-step");
    }
    if (record_count(result.com2.bytes, "step") != breaks)
        add(list, " and other breaks");
    for (lines = result.com2.bytes; record_next(&lines, &record);) {
        bool bad = false;
        word(record, "clock", subject);
        if (record_is(&record, "record", "measurement"))
            bad =
                (record_is(&record, "status", "odd") || record_is(&record, "status", "stepped")) &&
                !is_named(list, subject);
        else if (record_is(&record, "record", "clock"))
            bad = (record_is(&record, "status", "coarse") || record_is(&record, "status", "dead") ||
                   record_is(&record, "status", "stuck") ||
                   record_is(&record, "status", "backwards")) &&
                  !is_named(list, subject);
        else if (record_is(&record, "record", "verdict"))
            bad = record_is(&record, "verdict", "off") && !record_is_true(&record, "nominal") &&
                  !is_named(list, word(record, "source", subject)) &&
                  !is_named(list, "host-deviation") && !is_named(list, "rate-change");
        else if (record_is(&record, "record", "note"))
            bad = record_is(&record, "level", "warning") && !list[0];
        if (bad)
            add(list, " and %.*s", (int)record.length, record.line);
    }
    return list;
}

static void expect_complaints(const char *expected)
{
    const char *found = complaints();

    if (strcmp(found, expected) != 0)
        fail_msg("expected \"%s\", found \"%s\"\n%s", expected, found, result.com1.bytes);
}

// --- Machines without a fault

static void test_sound_machines(void **state)
{
    (void)state;
    static const struct {
        const char *machine, *complaints;
    } odd[] = {
        {"bhyve", "wrong-rate(pmtimer)"},
        {"bochs", "coarse-clock(pmtimer) other-machine(leaf-0x15) other-machine(leaf-0x15) "
                  "other-machine(leaf-0x16)"},
        {"nitro", "dead-clock(pit)"},
        {"qemu-hvf", "other-machine(leaf-0x40000010)"},
        {"nvmm", "other-machine(leaf-0x15)"},
    };

    for (size_t i = 0; i < sim_machine_count; i++) {
        struct sim_config sound = sim_machines[i].config();
        const char *expected = "";
        for (size_t j = 0; j < ARRAY_SIZE(odd); j++)
            if (!strcmp(sim_machines[i].name, odd[j].machine))
                expected = odd[j].complaints;
        sound.com1.present = sound.com2.present = true;
        sound.options = "window=100ms precision=0";
        run(&sound);
        if (!strcmp(sim_machines[i].name, "xen-pvh")) // it has no clock at all, and says so
            expect_end("inconclusive");
        else
            expect_complaints(expected);
    }
}

static bool check_sound(uint64_t seed, bool loud)
{
    static struct random_machine machine;

    random_machine(&machine, seed, 20, RANDOM_SOUND);
    sim_run(&machine.config, &result);
    if (loud)
        fprintf(stderr, "%s\n", result.com1.bytes);
    if (!complaints()[0])
        return true;
    fprintf(stderr, "%s\n", complaints());
    return false;
}

static void test_sound_random_machines(void **state)
{
    (void)state;
    assert_int_equal(random_seeds(100, check_sound), 0);
}

// --- Steps and changes of rate around what can be proven

enum { PIT, HPET, PMTIMER, LAPIC, CLOCKS, TSC = CLOCKS };
static const char *const names[] = {"pit", "hpet", "pmtimer", "lapic", "tsc"};

static struct sim_config config;
static char options[80];
static uint64_t window_ns, start_ns;

static struct sim_clock *clock_at(size_t index)
{
    return (struct sim_clock *[]){&config.pit.clock, &config.hpet.clock, &config.pm_timer.clock,
                                  &config.lapic.clock, &config.tsc}[index];
}

static struct sim_latency *latency_of(size_t index)
{
    static const enum sim_access accesses[] = {SIM_PIT_LATCH, SIM_HPET, SIM_PM_TIMER, SIM_LAPIC};

    return &config.latency[accesses[index]];
}

// alpha + beta: all readings of a clock take just that.
static uint64_t bracket_ns(size_t index)
{
    return latency_of(index)->before_ns + latency_of(index)->after_ns;
}

// With the granularity q of the clock, and a cycle and a nanosecond of rounding on each side.
static uint64_t provable_ns(size_t index)
{
    const struct sim_clock *clock = clock_at(index);

    return bracket_ns(index) + clock->hz_denominator * BILLION / clock->hz_numerator + 4;
}

// A machine of four clocks with readings of random, but constant latency; `alone` is the only clock
// used, or CLOCKS: all are. Gives when its window begins.
static void make_machine(uint64_t seed, size_t alone, unsigned ms)
{
    uint64_t random = seed;
    struct record record;

    config = sim_machine("qemu-tcg");
    config.seed = seed;
    config.tsc = sim_clock_of(sim_random_range(&random, 1500000000, 4500000000u), 1);
    for (unsigned i = 0; i < SIM_ACCESSES; i++)
        config.latency[i].jitter_ns = 0;
    for (size_t i = 0; i < CLOCKS; i++) {
        latency_of(i)->before_ns = (uint32_t)sim_random_range(&random, 100, 900);
        latency_of(i)->after_ns = (uint32_t)sim_random_range(&random, 100, 900);
    }
    window_ns = ms * MS;
    snprintf(options, sizeof(options), "window=%ums precision=0 sections=none%s%s", ms,
             alone == CLOCKS ? "" : " clocks=", alone == CLOCKS ? "" : names[alone]);
    config.options = options;
    sim_run(&config, &result);
    if (!record_find(result.com2.bytes, "measurement", "clock", "all", &record) || complaints()[0])
        fail_msg("seed %llu: %s", (unsigned long long)seed, complaints());
    start_ns = result.last_bracket_ns - window_ns;
}

// A step of `index` by `ns` in the middle half of the window, or of its other clocks' share of it.
static void inject_step(size_t index, int64_t ns, uint64_t at_ns)
{
    struct sim_clock *clock = clock_at(index);
    int64_t ticks = (int64_t)((int128)ns * (int64_t)clock->hz_numerator /
                              (int64_t)clock->hz_denominator / BILLION);

    clock->event_count = 1;
    clock->events[0] = (struct sim_event){start_ns + at_ns, SIM_STEP, ticks};
}

static bool complain(const char *wrong, bool loud)
{
    if (loud)
        fprintf(stderr, "%s\n%s\n", result.com1.bytes, result.com2.bytes);
    if (wrong)
        fprintf(stderr, "%s: %s (%s)\n", wrong, complaints(), options);
    return !wrong;
}

// Is that, in the last run, all that is reported?
static bool only(const char *expected, bool loud)
{
    return complain(strcmp(complaints(), expected) != 0 ? expected : NULL, loud);
}

static const char *is_of(const char *id, const char *subject)
{
    static char text[96];

    snprintf(text, sizeof(text), "%s(%s)", id, subject);
    return text;
}

// One clock: it cannot be told from the TSC.
static bool check_step_of_two(uint64_t seed, bool loud)
{
    uint64_t random = ~seed;
    size_t clock = seed % CLOCKS, index = seed / CLOCKS % 2 ? TSC : clock;
    char either[32];

    make_machine(seed, clock, 20);
    uint64_t at_ns = sim_random_range(&random, window_ns / 4, window_ns / 4 * 3);
    int64_t hidden_ns = (int64_t)bracket_ns(clock) * 95 / 100;
    int64_t shown_ns = (int64_t)provable_ns(clock) * 105 / 100;
    bool back = sim_random(&random) & 1;
    // A TSC that goes back is seen at once if it is read twice in less time than that.
    inject_step(index, back && index != TSC ? -hidden_ns : hidden_ns, at_ns);
    sim_run(&config, &result);
    if (!only("", loud))
        return false;
    // A whole tick more, or the clock would step by one less.
    if (index != TSC)
        shown_ns += (int64_t)(provable_ns(clock) - bracket_ns(clock));
    inject_step(index, back ? -shown_ns : shown_ns, at_ns);
    sim_run(&config, &result);
    snprintf(either, sizeof(either), "tsc or %s", names[clock]);
    if (back && index == TSC && !strcmp(complaints(), "step(tsc)"))
        return true;
    // So close to the threshold some change of rate may explain it as well.
    return !strcmp(complaints(), is_of("rate-change", either)) || only(is_of("step", either), loud);
}

static void test_steps_against_one_clock(void **state)
{
    (void)state;
    assert_int_equal(random_seeds(32, check_step_of_two), 0);
}

// The least of what the other clocks can prove; the TSC is told by the second least.
static uint64_t least_provable_ns(size_t without, bool second)
{
    uint64_t least = UINT64_MAX, next = UINT64_MAX;

    for (size_t i = 0; i < CLOCKS; i++) {
        uint64_t ns = provable_ns(i);
        if (i == without)
            continue;
        if (ns < least) {
            next = least;
            least = ns;
        } else if (ns < next) {
            next = ns;
        }
    }
    return second ? next : least;
}

static uint64_t least_bracket_ns(void)
{
    uint64_t least = UINT64_MAX;

    for (size_t i = 0; i < CLOCKS; i++)
        if (bracket_ns(i) < least)
            least = bracket_ns(i);
    return least;
}

static bool check_step_of_one(uint64_t seed, bool loud)
{
    uint64_t random = ~seed;
    size_t index = seed % (CLOCKS + 1);
    char either[32];

    make_machine(seed, CLOCKS, 30);
    uint64_t at_ns = sim_random_range(&random, window_ns / 4, window_ns / 4 * 3);
    uint64_t hidden_ns = index == TSC ? least_bracket_ns() : bracket_ns(index);
    uint64_t shown_ns =
        index == TSC ? least_provable_ns(TSC, true)
                     : 2 * provable_ns(index) - bracket_ns(index) + least_provable_ns(index, false);
    bool back = sim_random(&random) & 1;
    inject_step(index, (int64_t)(hidden_ns * 95 / 100) * (back && index != TSC ? -1 : 1), at_ns);
    sim_run(&config, &result);
    if (!only("", loud))
        return false;
    inject_step(index, (int64_t)(shown_ns * 105 / 100) * (back ? -1 : 1), at_ns);
    sim_run(&config, &result);
    // Proven, but which of two moved is only just.
    snprintf(either, sizeof(either), "tsc or %s", names[index]);
    if (index != TSC && !strcmp(complaints(), is_of("step", either))) {
        inject_step(index, (int64_t)(shown_ns * 130 / 100) * (back ? -1 : 1), at_ns);
        sim_run(&config, &result);
    }
    return only(is_of("step", names[index]), loud);
}

static void test_steps_among_four_clocks(void **state)
{
    (void)state;
    assert_int_equal(random_seeds(25, check_step_of_one), 0);
}

// Several clocks step together, as those of VirtualBox do when their time base stalls; the LAPIC
// timer does not.
static bool check_stall(uint64_t seed, bool loud)
{
    uint64_t random = ~seed, shown_ns = 0, hidden_ns = UINT64_MAX;

    make_machine(seed, CLOCKS, 30);
    uint64_t at_ns = sim_random_range(&random, window_ns / 4, window_ns / 4 * 3);
    for (size_t i = 0; i < LAPIC; i++) {
        uint64_t ns = 2 * provable_ns(i) - bracket_ns(i) + provable_ns(LAPIC);
        shown_ns = ns > shown_ns ? ns : shown_ns;
        hidden_ns = bracket_ns(i) < hidden_ns ? bracket_ns(i) : hidden_ns;
    }
    for (size_t i = 0; i < LAPIC; i++)
        inject_step(i, -(int64_t)(hidden_ns * 95 / 100), at_ns);
    sim_run(&config, &result);
    if (!only("", loud))
        return false;
    for (size_t i = 0; i < LAPIC; i++)
        inject_step(i, -(int64_t)(shown_ns * 105 / 100), at_ns);
    sim_run(&config, &result);
    return only("stall(pit, hpet, pmtimer)", loud);
}

static void test_stalls(void **state)
{
    (void)state;
    assert_int_equal(random_seeds(12, check_stall), 0);
}

// The TSC runs at another rate from the middle of the window on.
static void inject_rate(uint64_t least_ns, unsigned percent, bool slower)
{
    // 4 * d / W, in ppb.
    int64_t ppb = (int64_t)(4 * least_ns * BILLION / window_ns * percent / 100);

    config.tsc.event_count = 1;
    config.tsc.events[0] = (struct sim_event){start_ns + window_ns / 2, SIM_RATE,
                                              slower ? BILLION - ppb : BILLION + ppb};
}

static bool check_rate(uint64_t seed, bool loud)
{
    size_t clock = seed % CLOCKS;
    struct record end;
    char either[32];

    make_machine(seed, clock, 20);
    inject_rate(bracket_ns(clock), 95, seed & 4);
    sim_run(&config, &result);
    if (!only("", loud))
        return false;
    inject_rate(provable_ns(clock), 105, seed & 4);
    sim_run(&config, &result);
    snprintf(either, sizeof(either), "tsc or %s", names[clock]);
    if (!only(is_of("rate-change", either), loud))
        return false;
    record_find(result.com2.bytes, "end", NULL, NULL, &end);
    return complain(record_is(&end, "result", "fail") ? "a change of rate is no failure" : NULL,
                    loud);
}

static void test_changes_of_rate(void **state)
{
    (void)state;
    assert_int_equal(random_seeds(24, check_rate), 0);
}

// Of all clocks: put on the TSC, and the enclosure holds both rates.
static bool check_rate_of_tsc(uint64_t seed, bool loud)
{
    struct record all;
    int64_t low, high, ppb;
    uint64_t most_ns = 0;

    make_machine(seed, CLOCKS, 30);
    for (size_t i = 0; i < CLOCKS; i++)
        most_ns = provable_ns(i) > most_ns ? provable_ns(i) : most_ns;
    inject_rate(most_ns, 400, seed & 1);
    ppb = config.tsc.events[0].amount - BILLION;
    sim_run(&config, &result);
    if (!only("rate-change(tsc)", loud))
        return false;
    record_find(result.com2.bytes, "measurement", "clock", "all", &all);
    int64_t before = (int64_t)config.tsc.hz_numerator * 1000;
    int64_t after = before + (int64_t)((int128)before * ppb / BILLION);
    bool holds = record_thousandths(&all, "low_hz", &low) &&
                 record_thousandths(&all, "high_hz", &high) && low <= before && low <= after &&
                 high >= before && high >= after;
    return complain(holds ? NULL : "the enclosure lacks one of the rates", loud);
}

static void test_changes_of_rate_of_the_tsc(void **state)
{
    (void)state;
    assert_int_equal(random_seeds(12, check_rate_of_tsc), 0);
}

// --- Clocks

static struct sim_config machine_with(const char *name, const char *with_options)
{
    struct sim_config machine = sim_machine(name);

    machine.com1.present = machine.com2.present = true;
    machine.options = with_options;
    return machine;
}

static void check(const struct sim_config *machine, const char *expected, const char *outcome)
{
    run(machine);
    expect_complaints(expected);
    expect_end(outcome);
}

static void test_dead_clocks(void **state)
{
    (void)state;
    static const enum sim_fault faults[] = {SIM_DEAD_ONES, SIM_DEAD_ZEROS, SIM_STUCK,
                                            SIM_BACKWARDS};

    for (size_t clock = 0; clock < LAPIC; clock++) {
        for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
            config = machine_with("qemu-tcg", "window=20ms precision=0");
            clock_at(clock)->fault = faults[i];
            // An HPET whose every register reads so is none, nor is a PIT of ones.
            run(&config);
            struct record record = find("clock", "clock", names[clock]);
            expect_complaints(
                record_is(&record, "status", "absent") ? "" : is_of("dead-clock", names[clock]));
            assert_false(record_is(&record, "status", "live"));
            expect_end("pass");
        }
    }
}

// A clock whose own time base moves in steps: hidden within its brackets, then found coarse.
static void test_coarse_clocks(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        make_machine(seed, PMTIMER, 20);
        config.pm_timer.clock.quantum_ns = bracket_ns(PMTIMER) * 95 / 100;
        check(&config, "", "pass");
        config.pm_timer.clock.quantum_ns = provable_ns(PMTIMER) * 4;
        check(&config, "coarse-clock(pmtimer)", "pass");
    }
}

static void bounds(size_t clock, int64_t *low, int64_t *high)
{
    struct record record = find("measurement", "clock", names[clock]);

    *low = *high = 0;
    assert_true(record_thousandths(&record, "low_hz", low) &&
                record_thousandths(&record, "high_hz", high));
}

// A clock off its nominal rate: hidden until its enclosure and another one part; then the clocks
// disagree, and it is one of those; it is the odd one when it has parted from all.
static void test_wrong_rates(void **state)
{
    (void)state;
    for (size_t clock = 0; clock < LAPIC; clock++) {
        int64_t most_low = 0, least_low = INT64_MAX, most_high = 0, least_high = INT64_MAX;
        int64_t low, high, own_low, own_high;
        make_machine(clock + 1, CLOCKS, 30);
        bounds(clock, &own_low, &own_high);
        for (size_t i = 0; i < CLOCKS; i++) {
            bounds(i, &low, &high);
            if (i == clock)
                continue;
            most_low = low > most_low ? low : most_low;
            least_low = low < least_low ? low : least_low;
            most_high = high > most_high ? high : most_high;
            least_high = high < least_high ? high : least_high;
        }
        for (int sign = -1; sign <= 1; sign += 2) {
            // A fast clock makes the TSC seem slow. In ppb:
            int64_t one =
                (int64_t)((int128)(sign > 0 ? own_high - most_low : least_high - own_low) *
                          BILLION / own_low);
            int64_t all =
                (int64_t)((int128)(sign > 0 ? own_high - least_low : most_high - own_low) *
                          BILLION / own_low);
            clock_at(clock)->error_ppb = sign * one * 90 / 100;
            check(&config, "", "pass");
            clock_at(clock)->error_ppb = sign * one * 110 / 100;
            run(&config);
            assert_true(is_named(complaints(), names[clock]));
            assert_int_equal(record_count(result.com2.bytes, "step"), 0);
            clock_at(clock)->error_ppb = sign * all * 110 / 100;
            check(&config, is_of("wrong-rate", names[clock]), "pass");
        }
    }
    // Without a majority none is blamed.
    config = machine_with("qemu-tcg", "window=30ms precision=0 clocks=pit,pmtimer");
    config.pm_timer.clock = sim_clock_of(2 * 3579545, 1);
    run(&config);
    expect_complaints("clocks-disagree(pit, pmtimer)");
    const char *runs = strstr(result.com2.bytes, "by pit, pmtimer runs +");
    assert_non_null(runs);
    assert_in_range(strtoul(strchr(runs, '+'), NULL, 10), 990000, 1010000); // ppm
    expect_end("inconclusive");
}

// The clock of the host's time of day is set.
static void test_wall_clock_steps(void **state)
{
    (void)state;
    for (int sign = -1; sign <= 1; sign += 2) {
        config = machine_with("kvm-invtsc", "window=3s precision=0 clocks=rtc,lapic,pit");
        config.rtc.clock.start_ticks = 32768 * 1000;
        config.rtc.clock.event_count = 1;
        config.rtc.clock.events[0] = (struct sim_event){1700 * MS, SIM_STEP, sign * 3 * 32768};
        run(&config);
        // Its next tick may contradict once more what little is known of it.
        if (strcmp(complaints(), "wall-clock-step(rtc) wall-clock-step(rtc)") != 0)
            expect_complaints("wall-clock-step(rtc)");
        // Ahead, the machine may have been paused meanwhile.
        expect_end(sign > 0 ? "pass" : "fail");
    }
}

// --- Claims

// A KVM whose only claim is the timing leaf, of so many kHz.
static struct sim_config claiming(uint64_t khz, const char *with_options)
{
    struct sim_config machine = machine_with("kvm-invtsc", with_options);

    machine.paravirt.pvclock.present = machine.paravirt.backdoor.gethz = false;
    machine.tsc = sim_clock_of(SIM_TSC_HZ, 1);
    sim_cpuid_set(&machine, 0x40000010, (uint32_t)khz, 1000000, 0, 0);
    return machine;
}

// The same with the leaves of an Intel CPU, which state `mhz`, too.
static struct sim_config intel_claiming(uint64_t khz, uint32_t mhz)
{
    struct sim_config machine = claiming(khz, "window=100ms precision=0");

    sim_set_cpu(&machine, sim_cpu_intel, 0x16);
    sim_cpuid_sign(&machine, 0x40000000, 0x40000010, "KVMKVMKVM\0\0");
    sim_cpuid_set(&machine, 0x40000010, (uint32_t)khz, 1000000, 0, 0);
    sim_cpuid_set(&machine, 0x15, 1000, mhz, 1000000000, 0);
    sim_cpuid_set(&machine, 0x16, mhz, mhz, 100, 0);
    return machine;
}

#define KHZ (SIM_TSC_HZ / 1000)

static void test_another_machine(void **state)
{
    (void)state;
    // Off by a hundredth, the step of the leaf is nothing beside it.
    for (int sign = -1; sign <= 1; sign += 2) {
        config = claiming(KHZ + sign * (int64_t)KHZ / 100 * 95 / 100, "window=100ms precision=0");
        run(&config);
        assert_int_equal(record_count(result.com2.bytes, "oddity"), 0);
        expect_end("fail");
        config = claiming(KHZ + sign * (int64_t)KHZ / 100 * 105 / 100, "window=100ms precision=0");
        check(&config, "other-machine(leaf-0x40000010)", "fail");
    }
}

static void test_scaling(void **state)
{
    (void)state;
    // The TSC is what the hypervisor says; the CPU's leaves are the host's, 5/4 of it.
    config = intel_claiming(KHZ, SIM_TSC_HZ / 800000);
    config.tsc = sim_clock_of(SIM_TSC_HZ / 800000 * 800000ull, 1);
    sim_cpuid_set(&config, 0x40000010, SIM_TSC_HZ / 800000 * 800, 1000000, 0, 0);
    check(&config, "tsc-scaled(leaf-0x15) tsc-scaled(leaf-0x16)", "pass");
    assert_non_null(strstr(result.com2.bytes, ", 5/4 of the measured rate"));
    // It says so, and scales nothing: the claim decides.
    config = intel_claiming(2000000, 2596);
    config.tsc = sim_clock_of(2596000000, 1);
    check(&config, "tsc-unscaled(leaf-0x40000010)", "fail");
    // Off by less than 1 %: no scaling.
    config = intel_claiming(KHZ, 2596 * 1009 / 1000);
    check(&config, "", "pass");
}

static void test_spread_spectrum(void **state)
{
    (void)state;
    static const struct {
        int64_t ppb;
        const char *complaints;
    } cases[] = {
        {-475000, ""},
        {-525000, "spread-spectrum(leaf-0x15)"},
        {-2500000, "spread-spectrum(leaf-0x15)"},
        {-4750000, "spread-spectrum(leaf-0x15)"},
        {-5250000, ""},
        {2500000, ""},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        config = machine_with("bare-intel", "window=100ms precision=0");
        config.tsc.error_ppb = cases[i].ppb;
        check(&config, cases[i].complaints, "pass");
    }
}

// Makes the claim of `claiming` so many ppb too high, to half a ppb.
static void make_off(int64_t ppb)
{
    config.tsc.error_ppb = -(ppb * BILLION + ppb / 2) / (BILLION + ppb);
}

// The claims and all reference clocks agree among themselves, and are a little apart. What is
// proven lies within the width of the enclosure and the step of the leaf, 1 kHz: so close to the
// ends, 1 and 500 ppm, it is explained as the host's, and beyond them it is not.
static void test_host_deviation(void **state)
{
    (void)state;
    int64_t low = 0, high = 0;

    config = claiming(KHZ, "window=1s precision=0");
    check(&config, "", "pass");
    struct record all = find("measurement", "clock", "all");
    assert_true(record_thousandths(&all, "low_hz", &low) &&
                record_thousandths(&all, "high_hz", &high));
    int64_t doubt = (int64_t)((int128)(high - low) * BILLION / low) + BILLION / KHZ;
    assert_in_range(doubt, 400, 3000);
    for (int sign = -1; sign <= 1; sign += 2) {
        make_off(sign * 998);
        check(&config, "", "pass");
        make_off(sign * (1000 + doubt));
        check(&config, "host-deviation(leaf-0x40000010)", "pass");
        assert_non_null(strstr(result.com2.bytes, "1 to 500 ppm that all reference clocks"));
        assert_non_null(strstr(result.com2.bytes, "(tsc_khz), and NTP steering"));
        make_off(sign * (500000 - doubt));
        check(&config, "host-deviation(leaf-0x40000010)", "fail");
        make_off(sign * 500002);
        run(&config);
        assert_int_equal(record_count(result.com2.bytes, "oddity"), 0);
        expect_end("fail");
    }
}

// The host's time of day is steered, too, where it is the only clock.
static void test_host_deviation_by_the_time_of_day(void **state)
{
    (void)state;
    config = claiming(KHZ, "window=5s precision=0 clocks=rtc tolerance=200ppm");
    make_off(100000);
    check(&config, "host-deviation(leaf-0x40000010)", "pass");
}

// A claim about the bus that nothing measured is no deviation.
static void test_a_bus_that_is_not_measured(void **state)
{
    (void)state;
    config = claiming(KHZ, "window=100ms precision=0 clocks=pit");
    check(&config, "", "pass");
    expect(find("verdict", "clock", "bus"), "verdict", "inconclusive");
}

static void test_claims_that_disagree(void **state)
{
    (void)state;
    // pvclock states 2596130.000779 kHz; the leaf can be 1 kHz off that.
    config = machine_with("kvm-invtsc", "window=100ms precision=0");
    sim_cpuid_set(&config, 0x40000010, KHZ + 1, 1000000, 0, 0);
    run(&config);
    // vmware-port says to the hertz what it means, and so does pvclock.
    expect_complaints("");
    sim_cpuid_set(&config, 0x40000010, KHZ + 2, 1000000, 0, 0);
    check(&config, "claims-disagree(pvclock) claims-disagree(vmware-port)", "pass");
}

// --- Over several windows

// A change of rate too small for any of the windows: all earlier ones help, and so do later ones.
static void test_a_rate_change_across_windows(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        make_machine(seed, LAPIC, 20);
        config.options = "window=20ms duration=400ms sections=none clocks=lapic";
        // By the threshold of a window of 400 ms.
        window_ns = 400 * MS;
        inject_rate(bracket_ns(LAPIC), 95, seed & 1);
        check(&config, "", "pass");
        inject_rate(provable_ns(LAPIC), 130, seed & 1);
        check(&config, "rate-change(tsc or clocks)", "pass");
        expect(find("step", "kind", "rate"), "clock", "tsc or lapic");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound_machines),
        cmocka_unit_test(test_sound_random_machines),
        cmocka_unit_test(test_steps_against_one_clock),
        cmocka_unit_test(test_steps_among_four_clocks),
        cmocka_unit_test(test_stalls),
        cmocka_unit_test(test_changes_of_rate),
        cmocka_unit_test(test_changes_of_rate_of_the_tsc),
        cmocka_unit_test(test_dead_clocks),
        cmocka_unit_test(test_coarse_clocks),
        cmocka_unit_test(test_wrong_rates),
        cmocka_unit_test(test_wall_clock_steps),
        cmocka_unit_test(test_another_machine),
        cmocka_unit_test(test_scaling),
        cmocka_unit_test(test_spread_spectrum),
        cmocka_unit_test(test_host_deviation),
        cmocka_unit_test(test_host_deviation_by_the_time_of_day),
        cmocka_unit_test(test_a_bus_that_is_not_measured),
        cmocka_unit_test(test_claims_that_disagree),
        cmocka_unit_test(test_a_rate_change_across_windows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
