// The TSC's rate in HLT and under load, and the interrupts that end a HLT.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "tests/sim/run.h"

#define DEADLINE (1u << 24) // leaf 1 ECX
#define OPTIONS  "window=5ms checks=list sections=halt,load"
#define PPB      1000000000

static struct sim_config machine(void)
{
    struct sim_config config = sim_default();

    config.options = OPTIONS;
    return config;
}

static void offer_deadline(struct sim_config *config)
{
    sim_cpuid_set(config, 1, 0x00800f12, 0x00000800, 0x76d8320b | DEADLINE, 0x0f8bfbff);
}

static struct record state_of(const char *state)
{
    return find("state", "state", state);
}

static void expect_state(const char *state, const char *verdict)
{
    expect(state_of(state), "verdict", verdict);
}

static void expect_wakes(const char *lapic, const char *pit, const char *deadline)
{
    expect(find("wake", "source", "lapic"), "result", lapic);
    expect(find("wake", "source", "pit"), "result", pit);
    expect(find("wake", "source", "deadline"), "result", deadline);
}

static void expect_enclosed(const char *state, int64_t hz)
{
    struct record record = state_of(state);
    int64_t low, high;

    assert_true(record_thousandths(&record, "low_hz", &low));
    assert_true(record_thousandths(&record, "high_hz", &high));
    if (low > hz * 1000 || high < hz * 1000)
        fail_msg("%lld is not enclosed: %.*s", (long long)hz, (int)record.length, record.line);
}

static bool says(const char *words)
{
    return strstr(result.com1.bytes, words) != NULL;
}

static void test_not_by_default(void **state)
{
    (void)state;
    struct sim_config config = machine();
    struct record record;

    config.options = "window=5ms";
    run(&config);
    assert_false(record_find(result.com2.bytes, "state", NULL, NULL, &record));
    assert_false(record_find(result.com2.bytes, "wake", NULL, NULL, &record));
    assert_false(says("by what the CPU does"));
}

static void test_one_rate_in_all_states(void **state)
{
    (void)state;
    struct sim_config config = machine();

    run(&config);
    expect_end("pass");
    expect_wakes("works", "works", "absent");
    expect_state("pause", "same");
    expect_state("load", "same");
    expect_state("halt", "same");
    expect(state_of("halt"), "clock", "hpet");
    expect_enclosed("pause", SIM_TSC_HZ);
    expect_enclosed("load", SIM_TSC_HZ);
    expect_enclosed("halt", SIM_TSC_HZ);
    assert_in_range(number(state_of("halt"), "window_ns"), 20000000, 26000000);
    assert_in_range(number(state_of("halt"), "passes"), 4, 10);
    expect(find("check", "id", "invariant-tsc"), "result", "pass");
    assert_false(says("not constant"));
}

// On every machine of the field, whatever clocks and interrupts it has.
static void test_the_machines_of_the_field(void **state)
{
    (void)state;
    for (size_t i = 0; i < sim_machine_count; i++) {
        struct sim_config config = sim_machines[i].config();
        config.options = OPTIONS " com1=text+json";
        run(&config);
        if (says("not constant") || strstr(result.com2.bytes, "not constant"))
            fail_msg("%s: %s", sim_machines[i].name, strstr(result.com1.bytes, "by what the CPU"));
    }
}

static void test_each_section_alone(void **state)
{
    (void)state;
    struct sim_config config = machine();
    struct record record;

    config.options = "window=5ms sections=load";
    run(&config);
    expect_state("load", "same");
    assert_false(record_find(result.com2.bytes, "state", "state", "halt", &record));
    assert_false(record_find(result.com2.bytes, "wake", NULL, NULL, &record));
    config.options = "window=5ms sections=halt";
    run(&config);
    expect_state("halt", "same");
    assert_false(record_find(result.com2.bytes, "state", "state", "load", &record));
}

static void test_a_tsc_that_stops_in_halt(void **state)
{
    (void)state;
    struct sim_config config = machine();

    config.tsc_halt_ppb = PPB;
    run(&config);
    expect_state("load", "same");
    expect_state("halt", "stops");
    assert_true(says("the TSC's rate is not constant: it stops in HLT"));
    // The CPU promises an invariant TSC: that is a check, which decides nothing.
    expect(find("check", "id", "invariant-tsc"), "detail", "the bit is set, but it stops in HLT");
    expect(find("check", "id", "invariant-tsc"), "result", "fail");
    expect_end("pass");
    sim_cpuid_set(&config, 0x80000007, 0, 0, 0, 0);
    run(&config);
    expect_state("halt", "stops");
    expect(find("check", "id", "invariant-tsc"), "result", "skip");
}

// By how much the TSC has to run faster in this state until the enclosure parts from that of PAUSE,
// in ppb; from the last run, in which both rates were the same.
static int64_t parting_ppb(const char *state)
{
    struct record here = state_of(state), pause = state_of("pause");
    int64_t low = 0, high = 0;

    assert_true(record_thousandths(&here, "low_hz", &low) &&
                record_thousandths(&pause, "high_hz", &high));
    return (high - low) / (SIM_TSC_HZ / 1000000);
}

static void test_a_slower_tsc(void **state)
{
    (void)state;
    struct sim_config config = machine();

    for (size_t i = 0; i < SIM_ACCESSES; i++)
        config.latency[i].jitter_ns = 0;
    run(&config);
    int64_t halt = parting_ppb("halt"), load = parting_ppb("load");
    // What the brackets, 480 ns each, leave open in 20 ms is 24 ppm for each of the two.
    assert_in_range(halt, 20000, 60000);
    assert_in_range(load, 20000, 60000);
    config.tsc_halt_ppb = -halt * 95 / 100; // less is lost: it runs faster
    config.tsc_load_ppb = -load * 95 / 100;
    run(&config);
    expect_state("halt", "same");
    expect_state("load", "same");
    assert_false(says("not constant"));
    config.tsc_halt_ppb = -halt * 105 / 100;
    config.tsc_load_ppb = 0;
    run(&config);
    expect_state("halt", "differs");
    expect_state("load", "same");
    assert_true(says("its rate is another one in HLT"));
    config.tsc_halt_ppb = 0;
    config.tsc_load_ppb = -load * 130 / 100; // an eighth of the time it reads clocks
    run(&config);
    expect_state("halt", "same");
    expect_state("load", "differs");
    expect_end("pass");
    assert_true(says("its rate is another one under load"));
    // Half of the rate parts what differs from what stops.
    config.tsc_load_ppb = 0;
    config.tsc_halt_ppb = PPB / 200 * 95;
    run(&config);
    expect_state("halt", "differs");
    config.tsc_halt_ppb = PPB / 200 * 105;
    run(&config);
    expect_state("halt", "stops");
}

static void test_one_source_is_enough(void **state)
{
    (void)state;
    struct sim_config config = machine();

    config.pit_no_interrupt = true;
    run(&config);
    expect_wakes("works", "silent", "absent");
    expect_state("halt", "same");
    config.pic = false;
    run(&config);
    expect_wakes("works", "absent", "absent");
    expect_state("halt", "same");
    config = machine();
    config.lapic.no_interrupt = true;
    run(&config);
    expect_wakes("silent", "works", "absent");
    expect_state("halt", "same");
    // A LAPIC timer that stops in HLT: the other one ends it.
    config = machine();
    config.lapic.halts = true;
    run(&config);
    expect_wakes("works", "works", "absent");
    expect_state("halt", "same");
}

static void expect_no_halt(const char *lapic)
{
    expect_wakes(lapic, "silent", "absent");
    expect_state("pause", "same");
    expect_state("halt", "none");
    expect(state_of("halt"), "reason", "no interrupt arrived that would end it");
    assert_int_equal(number(state_of("halt"), "passes"), 0);
    assert_true(says("halt   not measured: no interrupt arrived"));
}

static void test_no_interrupt_ever_arrives(void **state)
{
    (void)state;
    struct sim_config config = machine();

    config.lapic.no_interrupt = config.pit_no_interrupt = true;
    run(&config);
    expect_no_halt("silent");
    expect_end("pass");
    config.lapic.no_interrupt = false;
    config.lapic.deadline_only = true;
    run(&config);
    expect_no_halt("silent");
    config = machine();
    config.pit_no_interrupt = true;
    config.lapic.clock.fault = SIM_ABSENT;
    run(&config);
    expect_no_halt("absent");
}

static void test_a_dead_lapic(void **state)
{
    (void)state;
    static const enum sim_fault faults[] = {SIM_DEAD_ONES, SIM_DEAD_ZEROS, SIM_STUCK};

    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        struct sim_config config = machine();
        config.lapic.clock.fault = faults[i];
        run(&config);
        expect_wakes("silent", "works", "absent");
        expect_state("halt", "same");
        config.pit_no_interrupt = true;
        run(&config);
        expect_no_halt("silent");
    }
}

static void test_x2apic(void **state)
{
    (void)state;
    struct sim_config config = machine();

    config.lapic.x2apic = true;
    config.pit_no_interrupt = true;
    run(&config);
    expect_wakes("works", "silent", "absent");
    expect_state("halt", "same");
}

static void test_the_deadline_timer(void **state)
{
    (void)state;
    struct sim_config config = machine();

    offer_deadline(&config);
    run(&config);
    expect_wakes("works", "works", "works");
    config.lapic.early = true;
    run(&config);
    expect_wakes("works", "works", "early");
    assert_true(says("deadline early"));
    config.lapic.no_interrupt = true;
    run(&config);
    expect_wakes("silent", "works", "silent");
}

static void test_other_clocks(void **state)
{
    (void)state;
    struct sim_config config = machine();

    config.hpet.clock.fault = SIM_ABSENT;
    config.acpi.has_hpet = false;
    run(&config);
    expect(state_of("halt"), "clock", "pmtimer");
    expect_state("halt", "same");
    // The PIT both times and interrupts: not at once.
    config.options = "window=5ms clocks=pit,lapic sections=halt,load";
    run(&config);
    expect(state_of("halt"), "clock", "pit");
    expect_wakes("works", "absent", "absent");
    expect_state("halt", "same");
    config.options = "window=5ms clocks=lapic sections=halt,load";
    run(&config);
    struct record record = state_of("pause");
    assert_true(record_is_null(&record, "clock"));
    expect(record, "verdict", "none");
    expect(record, "reason", "no reference clock fits");
    expect_state("halt", "none");
}

// A clock that stands still from the end of the window on.
static void test_the_clock_stops(void **state)
{
    (void)state;
    struct sim_config config = machine();

    config.options = "window=5ms clocks=hpet sections=halt,load";
    run(&config);
    // The three states take 60 ms and more, at the end of the run.
    config.hpet.clock.events[0] =
        (struct sim_event){.at_ns = result.last_bracket_ns - 30000000, .kind = SIM_RATE};
    config.hpet.clock.event_count = 1;
    run(&config);
    expect_state("pause", "same");
    expect_state("halt", "none");
    expect(state_of("halt"), "reason", "the clock stood still");
}

static void test_a_tsc_that_does_not_advance(void **state)
{
    (void)state;
    struct sim_config config = machine();

    config.tsc.fault = SIM_STUCK;
    run(&config);
    expect_state("halt", "none");
    expect_end("fail");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_not_by_default),
        cmocka_unit_test(test_one_rate_in_all_states),
        cmocka_unit_test(test_the_machines_of_the_field),
        cmocka_unit_test(test_each_section_alone),
        cmocka_unit_test(test_a_tsc_that_stops_in_halt),
        cmocka_unit_test(test_a_slower_tsc),
        cmocka_unit_test(test_one_source_is_enough),
        cmocka_unit_test(test_no_interrupt_ever_arrives),
        cmocka_unit_test(test_a_dead_lapic),
        cmocka_unit_test(test_x2apic),
        cmocka_unit_test(test_the_deadline_timer),
        cmocka_unit_test(test_other_clocks),
        cmocka_unit_test(test_the_clock_stops),
        cmocka_unit_test(test_a_tsc_that_does_not_advance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
