// Whole runs of the kernel on machines of the field: who is found, what its clocks are, how it
// ends.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/sim/records.h"
#include "tests/sim/sim.h"

static struct sim_result result;

// Runs it and checks what holds for every run: it ends, breaks no rule, and every record is sound.
static void run(const struct sim_config *config)
{
    const char *lines = result.com2.bytes;
    struct record record;

    sim_run(config, &result);
    sim_print_violations(&result);
    assert_int_equal(result.violation_count, 0);
    assert_int_not_equal(result.exit, SIM_HUNG);
    while (record_next(&lines, &record))
        if (!record_is_sound(&record))
            fail_msg("no sound record: %.*s", (int)record.length, record.line);
    assert_int_equal(*lines, 0);
}

static struct record find(const char *name, const char *key, const char *value)
{
    struct record record;

    if (!record_find(result.com2.bytes, name, key, value, &record))
        fail_msg("there is no %s record with %s %s in\n%s\n%s", name, key, value, result.com1.bytes,
                 result.com2.bytes);
    return record;
}

static void expect(struct record record, const char *key, const char *value)
{
    if (!record_is(&record, key, value))
        fail_msg("expected %s to be %s: %.*s", key, value, (int)record.length, record.line);
}

static void expect_end(const char *outcome)
{
    expect(find("end", NULL, NULL), "result", outcome);
}

static int64_t number(struct record record, const char *key)
{
    int64_t value = 0;

    if (!record_integer(&record, key, &value))
        fail_msg("%s is no integer: %.*s", key, (int)record.length, record.line);
    return value;
}

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
    {"hyper-v-gen2", "Hyper-V", "absent", "absent", "absent", "live none", SIM_HALT,
     "inconclusive"},
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

// --- Sinks

static void test_dead_uart(void **state)
{
    (void)state;
    struct sim_config config = sim_default();

    config.options = "window=5ms";
    config.com1.dead = true;
    run(&config);
    assert_int_equal(result.com1.length, 0);
    expect_end("pass");
    assert_in_range(result.time_ns, 0, 1000000000);
}

static void test_uart_that_stops(void **state)
{
    (void)state;
    struct sim_config config = sim_default();

    config.options = "window=5ms";
    config.com1.stops_after = 300;
    run(&config);
    assert_int_equal(result.com1.length, 300);
    expect_end("pass");
}

static void test_real_uart(void **state)
{
    (void)state;
    struct sim_config config = sim_default();
    static struct sim_text fast;

    // Without the measurement, which would take another course.
    config.options = "window=5ms clocks=pit";
    config.pit.clock.fault = SIM_ABSENT;
    run(&config);
    fast = result.com1;
    config.com1.byte_ns = 86805; // 115200 baud, 10 bits
    run(&config);
    assert_string_equal(result.com1.bytes, fast.bytes);
    assert_true(result.time_ns > fast.length * 86805);
}

static void test_no_sink_at_all(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("xen-pvh");

    config.options = "window=5ms";
    run(&config);
    assert_int_equal(result.exit, SIM_HALT);
    config = sim_machine("microvm");
    config.options = "window=5ms";
    config.com1.present = false;
    run(&config);
    assert_int_equal(result.exit, SIM_DEBUG_EXIT);
    assert_int_equal(result.value, 0x10);
}

static void test_screen(void **state)
{
    (void)state;
    struct sim_config config = sim_default();

    config.options = "window=5ms";
    run(&config);
    assert_non_null(strstr(result.screen, "PASS: "));
    assert_null(strstr(result.screen, "\r"));
}

// --- Options, memory, exceptions

static void test_bad_option(void **state)
{
    (void)state;
    struct sim_config config = sim_default();

    config.options = "window=5ms windov=3";
    run(&config);
    expect_end("fail");
    assert_non_null(strstr(result.com1.bytes, "windov"));
}

static void test_little_memory(void **state)
{
    (void)state;
    struct sim_config config = sim_default();

    config.memory_mib = 8;
    run(&config);
    expect_end("fail");
    assert_non_null(strstr(result.com1.bytes, "16 MiB"));
}

static void test_exceptions(void **state)
{
    (void)state;
    static const char *const options[][2] = {
        {"fault=de", "#DE"}, {"fault=ud", "#UD"},    {"fault=gp", "#GP"},
        {"fault=pf", "#PF"}, {"fault=stack", "#PF"},
    };
    struct sim_config config = sim_default();

    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        config.options = options[i][0];
        run(&config);
        assert_non_null(strstr(result.com1.bytes, options[i][1]));
        assert_non_null(strstr(result.com1.bytes, "\nFAIL: "));
        expect_end("fail");
        assert_int_equal(result.exit, SIM_DEBUG_EXIT);
        assert_int_equal(result.value, 0x11);
    }
}

static void test_ways_to_leave(void **state)
{
    (void)state;
    struct sim_config config = sim_default();

    config.options = "window=2ms exit=acpi";
    run(&config);
    assert_int_equal(result.exit, SIM_S5);
    config.options = "window=2ms exit=reset";
    run(&config);
    assert_int_equal(result.exit, SIM_RESET);
    assert_int_equal(result.value, 0xcf9);
    config.acpi.reset_port = 0;
    config.cf9_reset = false;
    run(&config);
    assert_int_equal(result.exit, SIM_RESET);
    assert_int_equal(result.value, 0x64);
    config.options = "window=2ms exit=halt";
    run(&config);
    assert_int_equal(result.exit, SIM_HALT);
}

// --- Firmware that lies

static void test_acpi_lies(void **state)
{
    (void)state;
    for (unsigned lie = SIM_ACPI_TRUE; lie < SIM_ACPI_LIES; lie++) {
        for (unsigned xsdt = 0; xsdt < 2; xsdt++) {
            struct sim_config config = sim_default();
            config.options = "window=2ms";
            config.acpi.lie = (enum sim_acpi_lie)lie;
            config.acpi.xsdt = xsdt;
            // A bad RSDP is no RSDP, unless somebody says that it is one.
            config.acpi.handed_over = lie == SIM_ACPI_RSDP_CHECKSUM;
            run(&config);
            // Other clocks are there; what is wrong with the tables is told.
            expect_end("pass");
            expect(find("clock", "clock", "pit"), "status", "live");
            if (lie == SIM_ACPI_HPET_LOW)
                expect(find("clock", "clock", "hpet"), "status", "absent");
            else if (lie != SIM_ACPI_TRUE)
                assert_non_null(strstr(find("note", "level", "warning").line, "ACPI"));
            else
                assert_int_equal(record_count(result.com2.bytes, "note"), 0);
        }
    }
}

static void test_where_the_rsdp_is(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct sim_config config = sim_default();
        config.options = "window=2ms";
        config.acpi.in_ebda = i & 1;
        config.acpi.handed_over = i & 2;
        config.acpi.cpus = 3;
        run(&config);
        expect(find("clock", "clock", "pmtimer"), "status", "live");
        assert_int_equal(number(find("start", NULL, NULL), "cpus"), 3);
    }
}

// --- Bounds

static void test_everything_but_the_window_is_quick(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("qemu-tcg");

    config.options = "window=10ms precision=0";
    run(&config);
    assert_in_range(result.time_ns, 10000000, 10000000 / 20 * 23 + 300000000);
}

static void test_wide_scan(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("kvm");

    config.options = "window=2ms scan=wide";
    run(&config);
    assert_int_equal(number(find("scan", "scan", "wide"), "bases"), 65536);
    expect_end("pass");
}

// What a run says depends on its machine alone, not on what ran before it in this process.
static void test_runs_are_independent(void **state)
{
    (void)state;
    static struct sim_result first;
    struct sim_config config = sim_machine("kvm-invtsc");
    struct sim_config other = sim_machine("bare-amd");

    config.options = other.options = "window=5ms";
    run(&config);
    first = result;
    run(&other);
    other.options = "window=5ms fault=ud";
    run(&other);
    run(&config);
    assert_string_equal(result.com1.bytes, first.com1.bytes);
    assert_string_equal(result.com2.bytes, first.com2.bytes);
    assert_string_equal(result.screen, first.screen);
    assert_int_equal(result.operations, first.operations);
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
        cmocka_unit_test(test_dead_uart),
        cmocka_unit_test(test_uart_that_stops),
        cmocka_unit_test(test_real_uart),
        cmocka_unit_test(test_no_sink_at_all),
        cmocka_unit_test(test_screen),
        cmocka_unit_test(test_bad_option),
        cmocka_unit_test(test_little_memory),
        cmocka_unit_test(test_exceptions),
        cmocka_unit_test(test_ways_to_leave),
        cmocka_unit_test(test_acpi_lies),
        cmocka_unit_test(test_where_the_rsdp_is),
        cmocka_unit_test(test_everything_but_the_window_is_quick),
        cmocka_unit_test(test_wide_scan),
        cmocka_unit_test(test_runs_are_independent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
