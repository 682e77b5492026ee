// Whole runs on machines with something wrong: dead sinks, lying firmware, bad options, exceptions.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "tests/sim/run.h"

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
    config.options = "window=5ms clocks=pit sections=none";
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
    struct sim_config config = sim_machine("qemu-tcg");

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
