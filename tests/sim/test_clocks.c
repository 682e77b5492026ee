// Tests of the simulated HPET, PM timer and LAPIC timer, through the seam as the kernel sees them.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "tests/sim/machine.h"
#include "tests/sim/sim.h"

static struct sim_result result;

// A machine without randomness, in which every access takes 1 us and acts in the middle, and HPET,
// PM timer and LAPIC timer tick once a microsecond: one tick an access.
static struct sim_config exact(void)
{
    struct sim_config config = sim_default();

    for (unsigned i = 0; i < SIM_ACCESSES; i++)
        config.latency[i] = (struct sim_latency){500, 500, 0};
    config.tsc = sim_clock_of(1000000000, 1);
    config.hpet.clock = config.pm_timer.clock = config.lapic.clock = sim_clock_of(1000000, 1);
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

// --- HPET

static uint32_t hpet_counts[2];

static void read_hpet(const struct boot_info *boot)
{
    (void)boot;
    assert_int_equal(machine_mmio_read32(0xfed00004), 10000000);
    hpet_counts[0] = machine_mmio_read32(0xfed000f0);
    machine_mmio_write32(0xfed00010, 1);
    hpet_counts[1] = machine_mmio_read32(0xfed000f0);
}

static void test_hpet_counts_when_enabled(void **state)
{
    (void)state;
    struct sim_config config = exact();

    config.hpet.clock.start_ticks = 500;
    run(&config, read_hpet);
    assert_int_equal(hpet_counts[0], 500);
    assert_int_equal(hpet_counts[1], 501); // one access after it was enabled
    config.hpet.locked = true;
    run(&config, read_hpet);
    assert_int_equal(hpet_counts[1], 500);
    config.hpet.locked = false;
    config.hpet.enabled = true;
    run(&config, read_hpet);
    assert_int_equal(hpet_counts[0], 501);
    assert_int_equal(hpet_counts[1], 503);
    assert_int_equal(result.violation_count, 0);
}

static uint32_t hpet_high, hpet_capabilities;

static void read_hpet_high(const struct boot_info *boot)
{
    (void)boot;
    hpet_high = machine_mmio_read32(0xfed000f4);
    hpet_capabilities = machine_mmio_read32(0xfed00000);
}

static void test_hpet_width(void **state)
{
    (void)state;
    struct sim_config config = exact();

    config.hpet.clock.start_ticks = 7ull << 32;
    run(&config, read_hpet_high);
    assert_int_equal(hpet_high, 7);
    assert_int_equal(hpet_capabilities, 0x8086a201);
    config.hpet.is_64_bit = false;
    run(&config, read_hpet_high);
    assert_int_equal(hpet_high, 0);
    assert_int_equal(hpet_capabilities, 0x80868201);
    config.hpet.clock.fault = SIM_ABSENT;
    run(&config, read_hpet_high);
    assert_int_equal(hpet_capabilities, UINT32_MAX);
    assert_int_equal(result.violation_count, 1); // the counter, which nobody reads to find an HPET
    config.open_bus_zeros = true;
    run(&config, read_hpet_high);
    assert_int_equal(hpet_capabilities, 0);
}

// --- PM timer

static uint32_t pm_counts[3];

static void read_pm_timer(const struct boot_info *boot)
{
    (void)boot;
    for (unsigned i = 0; i < 3; i++)
        pm_counts[i] = machine_in32(0x608);
}

static void test_pm_timer_wraps(void **state)
{
    (void)state;
    struct sim_config config = exact();

    config.pm_timer.clock.start_ticks = 0xfffffe;
    run(&config, read_pm_timer);
    assert_int_equal(pm_counts[0], 0xfffffe);
    assert_int_equal(pm_counts[1], 0xffffff);
    assert_int_equal(pm_counts[2], 0);
    config.pm_timer.bits = 32;
    run(&config, read_pm_timer);
    assert_int_equal(pm_counts[2], 0x1000000);
    assert_int_equal(result.violation_count, 0);
    config.pm_timer.clock.quantum_ns = 2000;
    run(&config, read_pm_timer);
    assert_int_equal(pm_counts[1], 0xfffffe);
    assert_int_equal(pm_counts[2], 0x1000000);
}

static void read_pm_timer_by_halves(const struct boot_info *boot)
{
    (void)boot;
    (void)machine_in16(0x608);
}

static void test_pm_timer_size(void **state)
{
    (void)state;
    struct sim_config config = exact();

    run(&config, read_pm_timer_by_halves);
    assert_int_equal(result.violation_count, 1);
}

// --- LAPIC

static uint32_t (*lapic_get)(uint32_t offset);
static void (*lapic_put)(uint32_t offset, uint32_t value);

static uint32_t lapic_get_memory(uint32_t offset)
{
    return machine_mmio_read32(0xfee00000 + offset);
}

static void lapic_put_memory(uint32_t offset, uint32_t value)
{
    machine_mmio_write32(0xfee00000 + offset, value);
}

static uint32_t lapic_get_msr(uint32_t offset)
{
    uint64_t value;

    assert_true(machine_rdmsr(0x800 + offset / 16, &value));
    return (uint32_t)value;
}

static void lapic_put_msr(uint32_t offset, uint32_t value)
{
    assert_true(machine_wrmsr(0x800 + offset / 16, value));
}

static void check_lapic_timer(const struct boot_info *boot)
{
    (void)boot;
    assert_int_equal(lapic_get(0x30), 0x50014);
    lapic_put(0x320, 0x100ff);
    lapic_put(0x3e0, 0xb); // by 1
    assert_int_equal(lapic_get(0x390), 0);
    lapic_put(0x380, 20);
    assert_int_equal(lapic_get(0x390), 19);
    assert_int_equal(lapic_get(0x390), 18);
    wait_us(30);
    assert_int_equal(lapic_get(0x390), 0); // one-shot: it stays at the end
    assert_int_equal(lapic_get(0x380), 20);
    lapic_put(0x3e0, 0x1); // by 4
    lapic_put(0x380, 20);
    wait_us(6);
    assert_int_equal(lapic_get(0x390), 19); // 7 us are 1.75 ticks
    lapic_put(0x320, 0x300ff);              // periodic
    lapic_put(0x3e0, 0xb);
    lapic_put(0x380, 20);
    wait_us(23);
    assert_int_equal(lapic_get(0x390), 16);
}

static void check_x2apic_timer(const struct boot_info *boot)
{
    uint64_t base, value;

    assert_false(machine_rdmsr(0x803, &value));
    assert_true(machine_rdmsr(0x1b, &base));
    assert_true(machine_wrmsr(0x1b, base | 1u << 10));
    check_lapic_timer(boot);
}

static void test_lapic_timer(void **state)
{
    (void)state;
    struct sim_config config = exact();

    lapic_get = lapic_get_memory;
    lapic_put = lapic_put_memory;
    run(&config, check_lapic_timer);
    lapic_get = lapic_get_msr;
    lapic_put = lapic_put_msr;
    config.lapic.x2apic = true;
    run(&config, check_x2apic_timer);
    assert_int_equal(result.violation_count, 0);
}

static bool x2apic_ok;

static void abuse_lapic(const struct boot_info *boot)
{
    uint64_t base;

    (void)boot;
    machine_mmio_write32(0xfee00320, 0xff); // not masked
    machine_rdmsr(0x1b, &base);
    x2apic_ok = machine_wrmsr(0x1b, base | 1u << 10);
    (void)machine_mmio_read32(0xfee00030); // gone in x2APIC mode
}

static void test_lapic_violations(void **state)
{
    (void)state;
    struct sim_config config = exact();

    config.lapic.x2apic = true;
    run(&config, abuse_lapic);
    assert_true(x2apic_ok);
    assert_int_equal(result.violation_count, 2);
    config.lapic.x2apic_faults = true;
    run(&config, abuse_lapic);
    assert_false(x2apic_ok);
    assert_int_equal(result.violation_count, 1);
}

static uint32_t lapic_counts[2];

static void read_lapic(const struct boot_info *boot)
{
    (void)boot;
    lapic_put_memory(0x380, 1000);
    lapic_counts[0] = lapic_get_memory(0x390);
    lapic_counts[1] = lapic_get_memory(0x390);
}

static void test_lapic_faults(void **state)
{
    (void)state;
    struct sim_config config = exact();

    config.lapic.deadline_only = true;
    run(&config, read_lapic);
    assert_int_equal(lapic_counts[1], 0);
    config.lapic.deadline_only = false;
    config.lapic.clock.fault = SIM_STUCK;
    run(&config, read_lapic);
    assert_int_equal(lapic_counts[1], 1000);
    config.lapic.clock.fault = SIM_BACKWARDS;
    run(&config, read_lapic);
    assert_in_range(lapic_counts[1], lapic_counts[0], lapic_counts[0] + 1);
    config.lapic.clock.fault = SIM_DEAD_ONES;
    run(&config, read_lapic);
    assert_int_equal(lapic_counts[0], UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hpet_counts_when_enabled),
        cmocka_unit_test(test_hpet_width),
        cmocka_unit_test(test_pm_timer_wraps),
        cmocka_unit_test(test_pm_timer_size),
        cmocka_unit_test(test_lapic_timer),
        cmocka_unit_test(test_lapic_violations),
        cmocka_unit_test(test_lapic_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
