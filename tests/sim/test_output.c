// Tests of the simulated UART, debug console and screen, through the seam as the kernel sees them.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "tests/sim/machine.h"
#include "tests/sim/sim.h"

static struct sim_result result;

// A machine without randomness, in which every access takes 1 us.
static struct sim_config exact(void)
{
    struct sim_config config = sim_default();

    for (unsigned i = 0; i < SIM_ACCESSES; i++)
        config.latency[i] = (struct sim_latency){500, 500, 0};
    return config;
}

static void run(const struct sim_config *config, void (*guest)(const struct boot_info *))
{
    sim_run_guest(config, guest, &result);
    assert_int_equal(result.exit, SIM_RETURNED);
}

static void set_up_uart(void)
{
    machine_out8(0x3f9, 0);
    machine_out8(0x3fb, 0x80);
    machine_out8(0x3f8, 1);
    machine_out8(0x3f9, 0);
    machine_out8(0x3fb, 0x03);
}

static void send_when_ready(const struct boot_info *boot)
{
    set_up_uart();
    for (const char *c = boot->cmdline; *c; c++) {
        for (unsigned i = 0; i < 200 && !(machine_in8(0x3fd) & 0x20); i++)
            machine_pause();
        machine_out8(0x3f8, (uint8_t)*c);
    }
}

static void test_uart(void **state)
{
    (void)state;
    struct sim_config config = exact();

    config.options = "hello";
    run(&config, send_when_ready);
    assert_string_equal(result.com1.bytes, "hello");
    assert_int_equal(result.com1.length, 5);
    assert_int_equal(result.violation_count, 0);
    uint64_t fast_ns = result.time_ns;

    config.com1.byte_ns = 86800; // 115200 baud
    run(&config, send_when_ready);
    assert_string_equal(result.com1.bytes, "hello");
    assert_int_equal(result.violation_count, 0);
    assert_in_range(result.time_ns, fast_ns + 4 * 86800 - 20000, fast_ns + 4 * 86800 + 20000);

    config.com1.byte_ns = 0;
    config.com1.stops_after = 3;
    run(&config, send_when_ready);
    assert_string_equal(result.com1.bytes, "hel");
    assert_int_equal(result.violation_count, 1); // one byte is stuck, the other is lost

    config.com1.present = false;
    run(&config, send_when_ready);
    assert_int_equal(result.com1.length, 0);
    assert_int_equal(result.violation_count, 10); // 5 writes to set it up, 5 bytes
}

static void send_carelessly(const struct boot_info *boot)
{
    (void)boot;
    machine_out8(0x3f8, 'x'); // neither rate nor format set
    set_up_uart();
    machine_out8(0x3f8, 'y'); // before x has left
}

static void test_uart_violations(void **state)
{
    (void)state;
    struct sim_config config = exact();

    config.com1.byte_ns = 86800;
    run(&config, send_carelessly);
    assert_int_equal(result.violation_count, 3);
    assert_string_equal(result.com1.bytes, "x");
}

static void check_loopback(const struct boot_info *boot)
{
    (void)boot;
    set_up_uart();
    machine_out8(0x3fc, 0x1e);
    machine_out8(0x3f8, 0xae);
    assert_int_equal(machine_in8(0x3fd) & 1, 1);
    assert_int_equal(machine_in8(0x3f8), 0xae);
    assert_int_equal(machine_in8(0x3fd) & 1, 0);
    machine_out8(0x3ff, 0x5a);
    assert_int_equal(machine_in8(0x3ff), 0x5a);
}

static void test_uart_loopback(void **state)
{
    (void)state;
    struct sim_config config = exact();

    run(&config, check_loopback);
    assert_int_equal(result.com1.length, 0);
    assert_int_equal(result.violation_count, 0);
}

static uint8_t debugcon_reads;

static void write_debugcon_and_screen(const struct boot_info *boot)
{
    (void)boot;
    debugcon_reads = machine_in8(0xe9);
    machine_out8(0xe9, '!');
    machine_mmio_write32(0xb8000, 0x07200700 | 'A');
    machine_mmio_write32(0xb8000 + 2 * (80 * 24 + 78), 0x07000720 | 'Z' << 16);
    assert_int_equal(machine_mmio_read32(0xb8000), 0x07200741);
}

static void test_debugcon_and_screen(void **state)
{
    (void)state;
    struct sim_config config = exact();

    config.debugcon = SIM_DEBUGCON_READABLE;
    run(&config, write_debugcon_and_screen);
    assert_int_equal(debugcon_reads, 0xe9);
    assert_string_equal(result.debugcon.bytes, "!");
    assert_memory_equal(result.screen, "A\n\n\n", 4);
    assert_int_equal(strlen(result.screen), 1 + 80 + 25);
    assert_int_equal(result.screen[strlen(result.screen) - 2], 'Z');
    assert_int_equal(result.violation_count, 0);
    config.debugcon = SIM_DEBUGCON_WRITE_ONLY;
    run(&config, write_debugcon_and_screen);
    assert_int_equal(debugcon_reads, 0xff);
    assert_string_equal(result.debugcon.bytes, "!");
    config.debugcon = SIM_DEBUGCON_NONE;
    run(&config, write_debugcon_and_screen);
    assert_int_equal(result.debugcon.length, 0);
    assert_int_equal(result.violation_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uart),
        cmocka_unit_test(test_uart_violations),
        cmocka_unit_test(test_uart_loopback),
        cmocka_unit_test(test_debugcon_and_screen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
