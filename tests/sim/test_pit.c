// Tests of the simulated PIT, through the seam as the kernel sees it.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "tests/sim/machine.h"
#include "tests/sim/sim.h"

static struct sim_result result;

// A machine without randomness, in which every access takes 1 us and acts in the middle, and the
// PIT ticks once a microsecond: one tick an access.
static struct sim_config exact(void)
{
    struct sim_config config = sim_default();

    for (unsigned i = 0; i < SIM_ACCESSES; i++)
        config.latency[i] = (struct sim_latency){500, 500, 0};
    config.pit.clock = sim_clock_of(1000000, 1);
    return config;
}

static void run(const struct sim_config *config, void (*guest)(const struct boot_info *))
{
    sim_run_guest(config, guest, &result);
    assert_int_equal(result.exit, SIM_RETURNED);
}

static void wait_us(unsigned us)
{
    while (us--)
        machine_pause();
}

static void pit_start(uint8_t command, uint16_t port, uint16_t initial)
{
    machine_out8(0x43, command);
    machine_out8(port, (uint8_t)initial);
    machine_out8(port, (uint8_t)(initial >> 8));
}

static uint16_t pit_fetch(uint16_t port)
{
    uint16_t low = machine_in8(port);

    return (uint16_t)(low | machine_in8(port) << 8);
}

static uint16_t pit_count(uint8_t latch, uint16_t port)
{
    machine_out8(0x43, latch);
    return pit_fetch(port);
}

static void check_pit_mode_2(const struct boot_info *boot)
{
    (void)boot;
    pit_start(0xb4, 0x42, 1000);
    // The latch command acts one access after the initial count was complete.
    assert_int_equal(pit_count(0x80, 0x42), 999);
    assert_int_equal(pit_count(0x80, 0x42), 996);
    machine_out8(0x43, 0x80); // holds 993
    wait_us(10);
    machine_out8(0x43, 0x80); // no effect: a latched count stays
    assert_int_equal(pit_fetch(0x42), 993);
    wait_us(965);
    assert_int_equal(pit_count(0x80, 0x42), 14);
    wait_us(10);
    assert_int_equal(pit_count(0x80, 0x42), 1);
    assert_int_equal(pit_count(0x80, 0x42), 998); // 1000 stands for 0
    // Without a latch the two bytes are read at two moments.
    pit_start(0xb4, 0x42, 0x100);
    assert_int_equal(machine_in8(0x42), 0xff);
    assert_int_equal(machine_in8(0x42), 0x00);
    // One byte only.
    machine_out8(0x43, 0x94);
    machine_out8(0x42, 200);
    assert_int_equal(machine_in8(0x42), 199);
    assert_int_equal(machine_in8(0x42), 198);
}

static void test_pit_mode_2(void **state)
{
    (void)state;
    struct sim_config config = exact();

    run(&config, check_pit_mode_2);
    assert_int_equal(result.violation_count, 0);
}

static uint16_t at_end[3];

static void read_mode_0_at_its_end(const struct boot_info *boot)
{
    (void)boot;
    pit_start(0x30, 0x40, 10);
    at_end[0] = pit_count(0x00, 0x40); // after 1 tick
    wait_us(2);
    at_end[1] = pit_count(0x00, 0x40); // after 6
    wait_us(5);
    at_end[2] = pit_count(0x00, 0x40); // after 14
}

static void test_pit_mode_0(void **state)
{
    (void)state;
    static const uint16_t expected[] = {
        [SIM_MODE_0_WRAPS] = 65532, [SIM_MODE_0_CLAMPS] = 0, [SIM_MODE_0_STARTS] = 6};
    struct sim_config config = exact();

    for (unsigned kind = SIM_MODE_0_WRAPS; kind <= SIM_MODE_0_STARTS; kind++) {
        config.pit.mode_0 = (enum sim_mode_0)kind;
        run(&config, read_mode_0_at_its_end);
        assert_int_equal(at_end[0], 9);
        assert_int_equal(at_end[1], 4);
        assert_int_equal(at_end[2], expected[kind]);
    }
}

static uint16_t initial_zero;

static void read_initial_zero(const struct boot_info *boot)
{
    (void)boot;
    pit_start(0xb4, 0x42, 0);
    initial_zero = pit_count(0x80, 0x42);
}

static void test_pit_initial_zero(void **state)
{
    (void)state;
    struct sim_config config = exact();

    run(&config, read_initial_zero);
    assert_int_equal(initial_zero, 65535);
    config.pit.zero_is_65535 = true;
    run(&config, read_initial_zero);
    assert_int_equal(initial_zero, 65534);
}

static void check_pit_gate(const struct boot_info *boot)
{
    (void)boot;
    machine_out8(0x61, 0);
    pit_start(0xb4, 0x42, 1000);
    wait_us(5);
    assert_int_equal(pit_count(0x80, 0x42), 1000);
    machine_out8(0x61, 1);
    assert_int_equal(pit_count(0x80, 0x42), 999);
    machine_out8(0x61, 0); // at 997 - 1
    wait_us(5);
    assert_int_equal(pit_count(0x80, 0x42), 996);
    machine_out8(0x61, 1); // starts again
    assert_int_equal(pit_count(0x80, 0x42), 999);
}

static void check_pit_has_no_gate(const struct boot_info *boot)
{
    (void)boot;
    machine_out8(0x61, 0);
    pit_start(0xb4, 0x42, 1000);
    wait_us(5);
    assert_int_equal(pit_count(0x80, 0x42), 994);
}

static void test_pit_gate(void **state)
{
    (void)state;
    struct sim_config config = exact();

    config.pit.gate_ignored = false;
    run(&config, check_pit_gate);
    config.pit.gate_ignored = true;
    run(&config, check_pit_has_no_gate);
}

static unsigned out_2_seen; // bit 0: seen low, bit 1: seen high

static void watch_out_2(const struct boot_info *boot)
{
    (void)boot;
    out_2_seen = 0;
    machine_out8(0x61, 1);
    pit_start(0xb0, 0x42, 20);
    for (unsigned i = 0; i < 40; i++)
        out_2_seen |= machine_in8(0x61) & 0x20 ? 2 : 1;
}

static void test_pit_out_2(void **state)
{
    (void)state;
    struct sim_config config = exact();

    run(&config, watch_out_2);
    assert_int_equal(out_2_seen, 3);
    config.pit.out_2 = SIM_OUT_LOW;
    run(&config, watch_out_2);
    assert_int_equal(out_2_seen, 1);
    config.pit.out_2 = SIM_OUT_HIGH;
    run(&config, watch_out_2);
    assert_int_equal(out_2_seen, 2);
}

static uint16_t counts[4];

static void read_both_channels(const struct boot_info *boot)
{
    (void)boot;
    pit_start(0xb4, 0x42, 60000);
    counts[0] = pit_count(0x80, 0x42);
    counts[1] = pit_count(0x80, 0x42);
    pit_start(0x30, 0x40, 60000);
    counts[2] = pit_count(0x00, 0x40);
    counts[3] = pit_count(0x00, 0x40);
}

static void test_pit_faults(void **state)
{
    (void)state;
    struct sim_config config = exact();

    config.pit.channel_2_stuck = true;
    run(&config, read_both_channels);
    assert_int_equal(counts[0], 60000);
    assert_int_equal(counts[1], 60000);
    assert_int_equal(counts[2], 59999);
    assert_int_equal(counts[3], 59996);

    config.pit.channel_2_stuck = false;
    config.pit.clock.fault = SIM_BACKWARDS;
    run(&config, read_both_channels);
    assert_int_equal(counts[3] - counts[2], 3);

    config.pit.clock.fault = SIM_STUCK;
    run(&config, read_both_channels);
    assert_int_equal(counts[0], 60000);
    assert_int_equal(counts[3], 60000);

    config.pit.clock.fault = SIM_DEAD_ZEROS;
    run(&config, read_both_channels);
    assert_int_equal(counts[1], 0);

    config.pit.clock.fault = SIM_ABSENT;
    run(&config, read_both_channels);
    assert_int_equal(counts[0], 0xffff);
    assert_int_equal(result.violation_count, 0);
}

static void wait_three_periods(const struct boot_info *boot)
{
    (void)boot;
    pit_start(0x34, 0x40, 1000);
    wait_us(3500);
    counts[0] = pit_count(0x00, 0x40);
}

static void test_pit_late_channel_0(void **state)
{
    (void)state;
    struct sim_config config = exact();

    run(&config, wait_three_periods);
    assert_int_equal(counts[0], 499);
    config.pit.channel_0_late_ns = 50000;
    run(&config, wait_three_periods);
    assert_in_range(counts[0], 510, 900); // three delays of 50 us on the average
}

static void check_read_back(const struct boot_info *boot)
{
    (void)boot;
    pit_start(0xb4, 0x42, 1000);
    machine_out8(0x43, 0xc8); // status and count of channel 2
    assert_int_equal(machine_in8(0x42), 0xb4);
    assert_int_equal(pit_fetch(0x42), 999);
}

static void test_pit_read_back(void **state)
{
    (void)state;
    struct sim_config config = exact();

    run(&config, check_read_back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pit_mode_2),         cmocka_unit_test(test_pit_mode_0),
        cmocka_unit_test(test_pit_initial_zero),   cmocka_unit_test(test_pit_gate),
        cmocka_unit_test(test_pit_out_2),          cmocka_unit_test(test_pit_faults),
        cmocka_unit_test(test_pit_late_channel_0), cmocka_unit_test(test_pit_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
