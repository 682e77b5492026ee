// Whole runs of the kernel on machines of the field: who is found, what its clocks are, how it
// ends.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/run.h"

// Are the records of a clock what they should be: "live", or "live odd" with its measurement's
// status?
static void expect_clock(const char *name, const char *statuses)
{
    char status[16] = "", measured[16] = "ok";

    assert_true(sscanf(statuses, "%15s %15s", status, measured) >= 1);
    expect(find("clock", "clock", name), "status", status);
    if (!strcmp(status, "live") || !strcmp(status, "coarse"))
        expect(find("measurement", "clock", name), "status", measured);
}

// --- The machines of the field

struct expected {
    const char *machine;
    const char *vendor; // NULL: none is known
    const char *pit, *hpet, *pm_timer, *lapic;
    enum sim_exit exit;
    const char *outcome;
};

// The LAPIC timer is measured but encloses nothing ("empty") where its rate is not known.
static const struct expected expected[] = {
    {"qemu-tcg", "QEMU TCG", "live", "live", "live", "live", SIM_DEBUG_EXIT, "pass"},
    {"kvm", "KVM", "live", "live", "live", "live", SIM_DEBUG_EXIT, "pass"},
    {"kvm-invtsc", "KVM", "live", "live", "live", "live", SIM_DEBUG_EXIT, "pass"},
    {"kvm-hyper-v", "KVM", "live", "live", "live", "live", SIM_DEBUG_EXIT, "pass"},
    {"xen-hvm", "Xen", "live", "live", "live", "live empty", SIM_S5, "pass"},
    {"vmware", "VMware", "live", "live", "live", "live empty", SIM_S5, "pass"},
    {"virtualbox", NULL, "live", "live", "live", "live empty", SIM_S5, "pass"},
    {"hyper-v-gen1", "Hyper-V", "live", "absent", "live", "live empty", SIM_S5, "pass"},
    // Its reference counter is the only clock of known rate.
    {"hyper-v-gen2", "Hyper-V", "absent", "absent", "absent", "live empty", SIM_RESET, "pass"},
    // The PM timer is 720 ppm off, and the other two agree.
    {"bhyve", "bhyve", "live", "live", "live odd", "live empty", SIM_S5, "pass"},
    {"bochs", NULL, "live", "live", "coarse", "live empty", SIM_S5, "pass"},
    {"bare-amd", NULL, "live", "live", "live", "live empty", SIM_S5, "pass"},
};

static void test_machines(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        struct sim_config config = sim_machine(expected[i].machine);
        config.options = "window=200ms precision=0";
        config.com2.present = true;
        print_message("  %s\n", expected[i].machine);
        run(&config);
        struct record hypervisor = find("hypervisor", NULL, NULL);
        if (expected[i].vendor)
            expect(hypervisor, "vendor", expected[i].vendor);
        else
            assert_true(record_is_null(&hypervisor, "vendor"));
        expect_clock("pit", expected[i].pit);
        expect_clock("hpet", expected[i].hpet);
        expect_clock("pmtimer", expected[i].pm_timer);
        expect_clock("lapic", expected[i].lapic);
        expect_end(expected[i].outcome);
        assert_int_equal(result.exit, expected[i].exit);
    }
}

// Those without a second UART: the records are mixed with the text on the first.
static void run_mixed(const char *machine)
{
    struct sim_config config = sim_machine(machine);

    config.options = "window=300ms precision=0 com1=json";
    sim_run(&config, &result);
    sim_print_violations(&result);
    assert_int_equal(result.violation_count, 0);
    result.com2 = result.com1;
}

static void test_machines_with_one_uart(void **state)
{
    (void)state;
    run_mixed("microvm");
    expect(find("hypervisor", NULL, NULL), "vendor", "QEMU TCG");
    expect(find("clock", "clock", "pit"), "status", "absent");
    expect(find("measurement", "clock", "all"), "status", "ok");
    expect_end("pass");
    assert_int_equal(result.exit, SIM_DEBUG_EXIT);

    run_mixed("firecracker");
    expect(find("clock", "clock", "pit"), "status", "live");
    expect(find("clock", "clock", "hpet"), "status", "absent");
    expect_end("pass");

    run_mixed("cloud-hypervisor");
    expect(find("clock", "clock", "pit"), "status", "absent");
    expect(find("clock", "clock", "pmtimer"), "status", "live");
    expect(find("verdict", "source", "leaf-0x40000010"), "verdict", "ok");
    expect_end("pass");

    run_mixed("bare-intel");
    expect(find("verdict", "source", "leaf-0x15"), "verdict", "ok");
    expect_end("pass");
}

// Xen's debug console cannot be told by reading it, but by Xen's signature.
static void test_xen_pvh(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("xen-pvh");

    config.options = "window=10ms debugcon=json";
    sim_run(&config, &result);
    assert_int_equal(result.violation_count, 0);
    assert_int_equal(result.exit, SIM_HALT);
    result.com2 = result.debugcon;
    expect(find("hypervisor", NULL, NULL), "vendor", "Xen");
    expect_end("inconclusive");
}

// --- Claims

static void test_claim_that_is_right(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("kvm-invtsc");

    config.options = "window=1000ms precision=20ppm";
    run(&config);
    struct record verdict = find("verdict", "source", "leaf-0x40000010");
    expect(verdict, "verdict", "ok");
    assert_true(number(verdict, "low_ppb") <= -53 && -53 <= number(verdict, "high_ppb"));
    assert_true(number(verdict, "low_ppb") >= -41000 && number(verdict, "high_ppb") <= 41000);
    // It stopped as soon as that was proven.
    assert_in_range(number(find("measurement", "clock", "all"), "window_ns"), 10000000, 500000000);
    assert_int_equal(result.value, 0x10);
}

static void test_claim_that_is_wrong(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("kvm-invtsc");

    config.options = "window=20ms precision=0";
    config.tsc.error_ppb = 250000; // KVM programs no scaling up to this
    run(&config);
    struct record verdict = find("verdict", "source", "leaf-0x40000010");
    expect(verdict, "verdict", "off");
    assert_true(number(verdict, "low_ppb") <= -249937 && -249937 <= number(verdict, "high_ppb"));
    expect_end("fail");
    assert_int_equal(result.value, 0x11);
}

static void test_bus_claim_that_is_wrong(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("vmware");

    config.options = "window=100ms precision=0";
    config.lapic.clock = sim_clock_of(100000000, 1); // stated: 66 MHz
    run(&config);
    expect(find("verdict", "clock", "bus"), "verdict", "off");
    expect_end("fail");
}

// A nominal claim decides nothing unless it is asked to.
static void test_nominal_claim(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("bochs");

    config.options = "window=20ms precision=0";
    run(&config);
    expect(find("verdict", "source", "leaf-0x15"), "verdict", "off");
    expect_end("pass");
    config.options = "window=20ms precision=0 strict=on";
    run(&config);
    expect_end("fail");
}

// --- The TSC

static void test_tsc_that_stands_still(void **state)
{
    (void)state;
    struct sim_config config = sim_default();

    config.tsc.fault = SIM_STUCK;
    run(&config);
    expect_end("fail");
    assert_int_equal(result.value, 0x11);
}

// The window must end although the clock that times it has stopped.
static void test_tsc_that_stops(void **state)
{
    (void)state;
    struct sim_config config = sim_default();

    config.options = "window=50ms precision=0";
    config.tsc.events[0] = (struct sim_event){50000000, SIM_RATE, 0};
    config.tsc.event_count = 1;
    run(&config);
    expect_end("fail");
    assert_in_range(result.time_ns, 50000000, 2000000000);
}

// What cannot be told says what was proven, and which window would tell; and that one does.
static void test_a_window_that_is_too_short_names_one_that_is_not(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("kvm-invtsc");
    char options[64];

    config.options = "window=10ms precision=0 tolerance=3ppm";
    run(&config);
    expect_end("inconclusive");
    struct record end = find("end", NULL, NULL);
    const char *said = strstr(end.line, "; try window=");
    assert_non_null(said);
    unsigned long window_ms = strtoul(said + strlen("; try window="), NULL, 10);
    assert_in_range(window_ms, 11, 1000);
    snprintf(options, sizeof(options), "window=%lums precision=0 tolerance=3ppm", window_ms);
    config.options = options;
    run(&config);
    expect_end("pass");
}

// A clock that needs a longer window is no dead end: the run says which window it takes.
static void test_a_clock_that_is_slow_names_a_window(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("kvm-invtsc");

    config.options = "kernel window=10ms clocks=rtc";
    run(&config);
    expect_end("inconclusive");
    struct record end = find("end", NULL, NULL);
    const char *said = strstr(end.line, "no reference clock of known rate is live; try window=3s");
    assert_non_null(said);
    // Each claim that has no verdict says why, that of the bus, too.
    assert_null(strstr(result.com1.bytes, "inconclusive: \r"));
    assert_non_null(strstr(result.com1.bytes, "bus   inconclusive: no reference clock of known"));
    assert_null(strstr(result.com1.bytes, "host-deviation"));
    assert_non_null(strstr(result.com1.bytes, "\noptions   window=10ms clocks=rtc\r\n"));
    config.options = "kernel window=3s clocks=rtc tolerance=1000ppm cpus=1";
    run(&config);
    expect_end("pass");
    config.options = "kernel";
    run(&config);
    assert_non_null(strstr(result.com1.bytes, "\noptions   none\r\n"));
    assert_null(strstr(result.screen, "\nOptions"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machines),
        cmocka_unit_test(test_machines_with_one_uart),
        cmocka_unit_test(test_xen_pvh),
        cmocka_unit_test(test_claim_that_is_right),
        cmocka_unit_test(test_claim_that_is_wrong),
        cmocka_unit_test(test_bus_claim_that_is_wrong),
        cmocka_unit_test(test_nominal_claim),
        cmocka_unit_test(test_tsc_that_stands_still),
        cmocka_unit_test(test_tsc_that_stops),
        cmocka_unit_test(test_a_window_that_is_too_short_names_one_that_is_not),
        cmocka_unit_test(test_a_clock_that_is_slow_names_a_window),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
