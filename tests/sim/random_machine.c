#include "tests/sim/random_machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const random_clock_names[RANDOM_CLOCKS] = {"pit", "hpet", "pmtimer", "lapic"};

static uint64_t pick(uint64_t *random, const uint64_t *values, size_t count)
{
    return values[sim_random_range(random, 0, count - 1)];
}

static bool chance(uint64_t *random, unsigned percent)
{
    return sim_random_range(random, 1, 100) <= percent;
}

static uint64_t any_start(uint64_t *random)
{
    // Of any magnitude.
    return sim_random(random) >> sim_random_range(random, 1, 63);
}

// --- Latency and interruptions

static void make_latency(struct sim_config *config, uint64_t *random)
{
    static const struct sim_latency *const kinds[] = {sim_latency_tcg, sim_latency_kvm,
                                                      sim_latency_bare};
    const struct sim_latency *kind = kinds[sim_random_range(random, 0, ARRAY_SIZE(kinds) - 1)];

    for (unsigned i = 0; i < SIM_ACCESSES; i++) {
        struct sim_latency *latency = &config->latency[i];
        uint64_t width_ns = kind[i].before_ns + kind[i].after_ns;
        // A third to three times as long, split anywhere.
        width_ns = width_ns * sim_random_range(random, 33, 300) / 100;
        latency->before_ns = (uint32_t)sim_random_range(random, 0, width_ns);
        latency->after_ns = (uint32_t)(width_ns - latency->before_ns);
        latency->jitter_ns = (uint32_t)(width_ns * sim_random_range(random, 0, 30) / 100);
    }
    // Only the screen has this kind, and a slow one would make every run long.
    config->latency[SIM_MMIO] = (struct sim_latency){100, 100, 10};
}

static void make_sharp(struct sim_config *config, uint64_t *random)
{
    for (unsigned i = 0; i < SIM_ACCESSES; i++) {
        struct sim_latency *latency = &config->latency[i];
        latency->before_ns = (uint32_t)sim_random_range(random, 0, 30);
        latency->after_ns = (uint32_t)sim_random_range(random, 0, 30);
        latency->jitter_ns = (uint32_t)sim_random_range(random, 0, 10);
    }
    // The kernel pauses a few times between two rounds of readings.
    uint32_t pause_ns = (uint32_t)sim_random_range(random, 20000, 100000);
    config->latency[SIM_PAUSE] = (struct sim_latency){pause_ns, 0, pause_ns / 10};
    config->tsc_quantum = 1;
}

static void make_delays(struct sim_config *config, uint64_t *random)
{
    struct sim_delays *delays = &config->delays;
    static const uint64_t rates[] = {0, 20, 20, 100};

    delays->preemptions_per_s = (uint32_t)pick(random, rates, ARRAY_SIZE(rates));
    delays->preemption_min_ns = 50000;
    delays->preemption_max_ns = 4000000;
    if (!chance(random, 30))
        return;
    delays->stall_count = sim_random_range(random, 1, 3);
    uint64_t at_ns = 0;
    for (size_t i = 0; i < delays->stall_count; i++) {
        at_ns += sim_random_range(random, 1000000, 60000000);
        delays->stalls[i].at_ns = at_ns;
        delays->stalls[i].length_ns = sim_random_range(random, 100000, 120000000);
        at_ns += delays->stalls[i].length_ns;
    }
}

// --- Clocks

static void make_tsc(struct sim_config *config, uint64_t *random)
{
    static const uint64_t quanta[] = {1, 1, 1, 1, 1, 2, 10, 26, 100};
    uint64_t hz = chance(random, 90) ? sim_random_range(random, 800000000, 5500000000u)
                                     : sim_random_range(random, 20000000, 800000000);

    config->tsc = sim_clock_of(hz, 1);
    config->tsc.error_ppb = (int64_t)sim_random_range(random, 0, 1000000) - 500000;
    config->tsc.start_ticks = any_start(random) >> 1;
    config->tsc_quantum = pick(random, quanta, ARRAY_SIZE(quanta));
}

static void make_clocks(struct random_machine *machine, uint64_t *random)
{
    struct sim_config *config = &machine->config;
    static const uint64_t periods_fs[] = {10000000,  16000000, 69841279, 41666667,
                                          100000000, 59604644, 1000000};
    static const uint64_t bus_hz[] = {24000000, 66000000, 100000000, 200000000, 1000000000};

    // What the kernel states: from 686 ppb below the nominal rate to 152 above.
    config->pit.clock = sim_clock_of(SIM_PIT_NOMINAL);
    config->pit.clock.error_ppb = (int64_t)sim_random_range(random, 0, 838) - 686;
    config->pit.gate_ignored = chance(random, 50);
    config->pit.out_2 = (enum sim_out)sim_random_range(random, SIM_OUT_REAL, SIM_OUT_HIGH);
    config->pit.mode_0 =
        (enum sim_mode_0)sim_random_range(random, SIM_MODE_0_WRAPS, SIM_MODE_0_STARTS);
    config->pit.zero_is_65535 = chance(random, 50);
    if (chance(random, 50))
        config->pit.channel_0_late_ns = (uint32_t)sim_random_range(random, 1, 100000);

    // From 128 ppb below to the nominal rate.
    config->pm_timer.clock = sim_clock_of(SIM_PM_TIMER_NOMINAL);
    config->pm_timer.clock.error_ppb = -(int64_t)sim_random_range(random, 0, 127);
    config->pm_timer.clock.start_ticks = any_start(random);
    config->pm_timer.bits = chance(random, 50) ? 24 : 32;
    config->pm_timer.claims_32 = chance(random, 50);

    // The real period is up to half a femtosecond shorter or one longer.
    uint64_t period_fs = pick(random, periods_fs, ARRAY_SIZE(periods_fs));
    config->hpet.period_fs = (uint32_t)period_fs;
    config->hpet.clock = sim_clock_of(1000000000000000000u,
                                      period_fs * 1000 - 500 + sim_random_range(random, 0, 1500));
    config->hpet.clock.start_ticks = any_start(random);
    config->hpet.is_64_bit = chance(random, 50);
    config->hpet.enabled = chance(random, 50);

    machine->lapic_rated = config->cpuid.hypervisor_bit;
    config->lapic.clock = sim_clock_of(
        machine->lapic_rated ? 1000000000 : pick(random, bus_hz, ARRAY_SIZE(bus_hz)), 1);
    config->lapic.x2apic = chance(random, 50);
    config->lapic.x2apic_on = config->lapic.x2apic && chance(random, 30);
    config->lapic.x2apic_faults = chance(random, 10);
}

// --- Faults

// The time base of a coarse clock moves either in steps that no reading can miss, or in steps
// shorter than any reading takes: then no reading can tell it from a smooth clock, and its
// enclosure holds as well.
static void make_coarse(struct random_machine *machine, struct sim_clock *clock, size_t index,
                        const struct sim_latency *latency, uint64_t *random)
{
    uint64_t least_ns = latency->before_ns + latency->after_ns;
    uint64_t tick_ns = clock->hz_denominator * 1000000000u / clock->hz_numerator + 1;
    uint64_t visible_ns =
        4 * (least_ns + 2 * latency->jitter_ns + tick_ns) + machine->config.tsc_quantum * 100;

    if (chance(random, 30)) {
        clock->quantum_ns = least_ns * sim_random_range(random, 0, 90) / 100;
        machine->statuses[index] = "live";
        return;
    }
    clock->quantum_ns = sim_random_range(random, visible_ns, 2 * visible_ns);
    machine->statuses[index] = "coarse";
}

static void fail_clock(struct random_machine *machine, struct sim_clock *clock, size_t index,
                       const struct sim_latency *latency, uint64_t *random)
{
    // A device that reads as all ones is, to some drivers, not there, and one that does not count
    // is dead if the value at which it stands is 0 or all ones.
    static const char *const statuses[] = {
        [SIM_SOUND] = "coarse",          [SIM_ABSENT] = "absent",
        [SIM_DEAD_ONES] = "dead absent", [SIM_DEAD_ZEROS] = "dead stuck",
        [SIM_STUCK] = "stuck dead",      [SIM_BACKWARDS] = "backwards",
    };

    clock->fault = (enum sim_fault)sim_random_range(random, SIM_SOUND, SIM_BACKWARDS);
    machine->statuses[index] = statuses[clock->fault];
    if (clock->fault == SIM_SOUND)
        make_coarse(machine, clock, index, latency, random);
}

static void fail_some(struct random_machine *machine, uint64_t *random)
{
    struct sim_config *config = &machine->config;

    if (chance(random, 25))
        fail_clock(machine, &config->pit.clock, RANDOM_PIT, &config->latency[SIM_PIT_LATCH],
                   random);
    else if (chance(random, 10))
        config->pit.channel_2_stuck = true; // channel 0 will do
    if (config->pit.clock.fault == SIM_STUCK)
        machine->statuses[RANDOM_PIT] = "absent"; // at its initial count, which is all ones
    if (chance(random, 25))
        fail_clock(machine, &config->hpet.clock, RANDOM_HPET, &config->latency[SIM_HPET], random);
    else if (chance(random, 10) && !config->hpet.enabled) {
        config->hpet.locked = true;
        machine->statuses[RANDOM_HPET] = "disabled";
    }
    if (chance(random, 25))
        fail_clock(machine, &config->pm_timer.clock, RANDOM_PMTIMER, &config->latency[SIM_PM_TIMER],
                   random);
    if (chance(random, 25))
        fail_clock(machine, &config->lapic.clock, RANDOM_LAPIC, &config->latency[SIM_LAPIC],
                   random);
    else if (chance(random, 5)) {
        config->lapic.disabled = true;
        config->lapic.x2apic_on = false;
        machine->statuses[RANDOM_LAPIC] = "disabled";
    } else if (chance(random, 5)) {
        config->lapic.deadline_only = true;
        machine->statuses[RANDOM_LAPIC] = "dead stuck";
    }
    config->pit.has_port_61 = config->pit.clock.fault != SIM_ABSENT || chance(random, 50);
    config->acpi.has_hpet = config->hpet.clock.fault != SIM_ABSENT || chance(random, 20);
    config->open_bus_zeros = config->pit.clock.fault != SIM_ABSENT && chance(random, 20);
}

// The CMOS clock, in windows that are too short for its seconds: a flag that works, or none. From a
// sequence of its own, so that the other parts of a seed's machine stay what they were.
static void make_rtc(struct sim_config *config, uint64_t seed)
{
    uint64_t random = ~seed;
    struct sim_rtc *rtc = &config->rtc;

    rtc->flag_works = chance(&random, 40);
    rtc->rate = (unsigned)sim_random_range(&random, 0, 15);
    rtc->uip = (enum sim_uip)sim_random_range(&random, SIM_UIP_REAL, SIM_UIP_STUCK);
    rtc->binary = chance(&random, 50);
    rtc->hours_12 = chance(&random, 50);
    rtc->clock.start_ticks = sim_random_range(&random, 0, 86400ull * 32768);
    rtc->clock.error_ppb =
        config->cpuid.hypervisor_bit ? 0 : (int64_t)sim_random_range(&random, 0, 200000) - 100000;
    if (chance(&random, 10))
        rtc->clock.fault = (enum sim_fault)sim_random_range(&random, SIM_ABSENT, SIM_DEAD_ZEROS);
}

void random_set_window(struct random_machine *machine, unsigned ms)
{
    machine->window_ns = ms * 1000000ull;
    // No section whose brackets would come after those of the window.
    snprintf(machine->options, sizeof(machine->options), "window=%ums precision=0 sections=vcpus",
             ms);
    machine->config.options = machine->options;
}

void random_machine(struct random_machine *machine, uint64_t seed, unsigned window_ms,
                    enum random_kind kind)
{
    struct sim_config *config = &machine->config;
    uint64_t random = seed;

    sim_random(&random);
    *config = chance(&random, 50) ? sim_default() : sim_machine("bare-amd");
    config->seed = sim_random(&random);
    // Now and then others than CPU 0, which take time to simulate.
    config->acpi.cpus = seed % 64 ? 1 : 2 + (unsigned)(seed / 64 % 2);
    config->com2.present = true; // the records
    config->acpi.xsdt = chance(&random, 50);
    config->acpi.handed_over = chance(&random, 50);
    config->acpi.in_ebda = chance(&random, 50);
    config->screen = chance(&random, 50);
    config->com1.present = chance(&random, 80);
    if (chance(&random,
               20)) // ten or twenty times as fast as 115200 baud, for the sake of the test's time
        config->com1.byte_ns = config->com2.byte_ns =
            (uint32_t)sim_random_range(&random, 4000, 8000);
    make_latency(config, &random);
    make_tsc(config, &random);
    make_clocks(machine, &random);
    for (size_t i = 0; i < RANDOM_CLOCKS; i++)
        machine->statuses[i] = "live";
    if (kind == RANDOM_SHARP)
        make_sharp(config, &random);
    if (kind == RANDOM_ANY) {
        make_delays(config, &random);
        // Two long stalls may fall into the two examinations of the PIT, and hide a wrap in each.
        if (config->delays.stall_count > 1)
            machine->statuses[RANDOM_PIT] = "live coarse";
        fail_some(machine, &random);
        make_rtc(config, seed);
    }
    unsigned ms =
        (unsigned)sim_random_range(&random, kind == RANDOM_SHARP ? window_ms / 2 : 2, window_ms);
    random_set_window(machine, ms);
}

void random_field_machine(struct random_machine *machine, uint64_t seed, unsigned window_ms)
{
    struct sim_config *config = &machine->config;
    uint64_t random = seed;

    *config = sim_machines[seed % sim_machine_count].config();
    config->seed = sim_random(&random);
    config->acpi.cpus = 1;
    config->com2.present = true; // the records
    config->tsc.error_ppb = (int64_t)sim_random_range(&random, 0, 1000000) - 500000;
    config->tsc.start_ticks = any_start(&random) >> 1;
    // Not what no report can know: how far real crystals are off, and, in a window this short, that
    // bhyve's PM timer is 720 ppm fast. Nor a counter that is the TSC, scaled, and rounded.
    if (!config->cpuid.hypervisor_bit)
        config->pit.clock.error_ppb = config->hpet.clock.error_ppb =
            config->pm_timer.clock.error_ppb = config->lapic.clock.error_ppb = 0;
    if (config->pm_timer.clock.hz_denominator == 1199)
        config->pm_timer.clock = sim_clock_of(SIM_PM_TIMER_NOMINAL);
    if (config->refcount.hz_numerator == SIM_TSC_HZ)
        config->refcount = sim_clock_of(10000000, 1);
    make_latency(config, &random);
    make_delays(config, &random);
    // One whose time base moves in steps about as long as a reading may pass for a fine clock that
    // changes its rate: docs/estimator.md, section 13.
    const struct sim_latency *reading = &config->latency[SIM_PM_TIMER];
    uint64_t least_ns = reading->before_ns + reading->after_ns;
    if (config->pm_timer.clock.quantum_ns > least_ns * 9 / 10)
        config->pm_timer.clock.quantum_ns = least_ns * 9 / 10;
    for (size_t i = 0; i < RANDOM_CLOCKS; i++)
        machine->statuses[i] = NULL;
    random_set_window(machine, (unsigned)sim_random_range(&random, 2, window_ms));
}

size_t random_seeds(size_t runs, bool (*check)(uint64_t seed, bool loud))
{
    const char *seed = getenv("SIM_SEED"), *count = getenv("SIM_RUNS");
    size_t failed = 0;

    if (seed)
        return !check(strtoull(seed, NULL, 0), true);
    if (count)
        runs = strtoull(count, NULL, 0);
    for (size_t i = 1; i <= runs; i++) {
        if (check(i, false))
            continue;
        if (failed++ < 400)
            fprintf(stderr, "the seed is %zu: SIM_SEED=%zu repeats this run\n", i, i);
    }
    return failed;
}
