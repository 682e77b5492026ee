// Tests of the simulated machine itself: CPUID, MSRs, memory, ways out, violations.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "tests/sim/machine.h"
#include "tests/sim/sim.h"

#define MILLISECOND_NS 1000000u

static struct sim_result result;

// A machine without randomness: every access takes 100 ns and acts in the middle.
static struct sim_config exact(void)
{
    struct sim_config config = sim_default();

    for (unsigned i = 0; i < SIM_ACCESSES; i++)
        config.latency[i] = (struct sim_latency){50, 50, 0};
    config.tsc = sim_clock_of(1000000000, 1);
    return config;
}

static void run(const struct sim_config *config, void (*guest)(const struct boot_info *))
{
    sim_run_guest(config, guest, &result);
}

// --- Ways out

static void loop(const struct boot_info *boot)
{
    (void)boot;
    for (;;)
        machine_pause();
}

static void leave_by_exit_port(const struct boot_info *boot)
{
    (void)boot;
    machine_out8(0xf4, 0x11);
}

static void leave_by_s5(const struct boot_info *boot)
{
    (void)boot;
    machine_out16(0x604, 5 << 10 | 1 << 13);
}

static void leave_by_keyboard(const struct boot_info *boot)
{
    (void)boot;
    machine_out8(0x64, 0xfe);
}

static void leave_by_halt(const struct boot_info *boot)
{
    (void)boot;
    machine_halt();
}

static void test_ways_out(void **state)
{
    (void)state;
    struct sim_config config = sim_default();

    run(&config, leave_by_exit_port);
    assert_int_equal(result.exit, SIM_DEBUG_EXIT);
    assert_int_equal(result.value, 0x11);
    run(&config, leave_by_s5);
    assert_int_equal(result.exit, SIM_S5);
    run(&config, leave_by_keyboard);
    assert_int_equal(result.exit, SIM_RESET);
    assert_int_equal(result.value, 0x64);
    run(&config, leave_by_halt);
    assert_int_equal(result.exit, SIM_HALT);
    assert_int_equal(result.violation_count, 0);
}

static void test_hang_is_stopped(void **state)
{
    (void)state;
    struct sim_config config = exact();

    config.operations_max = 5000;
    run(&config, loop);
    assert_int_equal(result.exit, SIM_HUNG);
    assert_int_equal(result.operations, 5001);
    config.operations_max = UINT64_MAX;
    config.time_max_ns = 3 * MILLISECOND_NS;
    run(&config, loop);
    assert_int_equal(result.exit, SIM_HUNG);
    assert_in_range(result.time_ns, 3 * MILLISECOND_NS, 3 * MILLISECOND_NS + 200);
}

// --- Violations

static void touch_what_is_not_there(const struct boot_info *boot)
{
    (void)boot;
    (void)machine_in8(0x40);  // allowed
    (void)machine_in8(0x61);  // allowed
    (void)machine_in8(0x3fd); // allowed
    machine_out8(0x3f8, 'x');
    (void)machine_in32(0x608);
    (void)machine_mmio_read32(0xfed00000); // allowed
    machine_mmio_write32(0xfed00010, 1);
    machine_mmio_write32(0xb8000, 0x07200741);
    (void)machine_mmio_read32(0xfee00030);
    machine_wrmsr(0x10, 0);
    machine_out8(0xf4, 0x10);
    (void)phys_view(&machine_phys, 0xfed00000, 8);
    (void)phys_view(&machine_phys, 0xa0000, 1);
    (void)phys_view(&machine_phys, 0x200000, 16); // no memory is no violation
}

static void test_violations(void **state)
{
    (void)state;
    static const uint64_t expected[] = {0x3f8, 0x608, 0xfed00010, 0xb8000, 0xfee00030,
                                        0x10,  0xf4,  0xfed00000, 0xa0000};
    struct sim_config config = exact();

    config.pit.clock = config.hpet.clock = config.pm_timer.clock = config.lapic.clock =
        sim_no_clock();
    config.pit.has_port_61 = config.com1.present = config.screen = config.debug_exit = false;
    config.cpuid.hypervisor_bit = false;
    run(&config, touch_what_is_not_there);
    assert_int_equal(result.exit, SIM_RETURNED);
    assert_int_equal(result.violation_count, ARRAY_SIZE(expected));
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
        assert_int_equal(result.violations[i].address, expected[i]);
    assert_int_equal(result.violations[0].value, 'x');
    assert_string_equal(result.violations[0].what, "write to a port where nothing is");
    assert_int_equal(result.violations[0].at_ns, 350);
}

// --- CPUID and MSRs

static void check_fallbacks(const struct boot_info *boot)
{
    struct cpuid_words signature = machine_cpuid(0x40000000, 0);
    struct cpuid_words far = machine_cpuid(0x40000300, 7);
    struct cpuid_words basic = machine_cpuid(0x50, 0);

    assert_int_equal(signature.eax, 0x40000001);
    assert_int_equal(machine_cpuid(0x40000001, 0).eax, 0x1234);
    if (boot->cmdline[0] == 'e') {
        assert_int_equal(far.eax, 0x21f);
        assert_int_equal(basic.ecx, 0xa88);
        assert_int_equal(machine_cpuid(3, 0).eax, 0); // in range, without an entry
    } else if (boot->cmdline[0] == 'c') {
        assert_int_equal(far.eax, 0x1234);
        assert_int_equal(basic.eax, 0);
    } else if (boot->cmdline[0] == 'p') {
        assert_int_equal(far.edx, 4);
        assert_int_equal(basic.eax, 1);
    } else {
        assert_int_equal(far.eax | far.ebx | far.ecx | far.edx, 0);
        assert_int_equal(basic.eax, 0);
    }
}

static void test_cpuid_fallbacks(void **state)
{
    (void)state;
    static const char *const options[] = {"zeros", "echo", "clamp", "pass"};
    struct sim_config config = sim_default();

    sim_cpuid_set(&config, 0x40000001, 0x1234, 0, 0, 0);
    config.cpuid.pass_through = (struct cpuid_words){1, 2, 3, 4};
    for (unsigned fallback = SIM_ZEROS; fallback <= SIM_PASS_THROUGH; fallback++) {
        config.cpuid.fallback = (enum sim_fallback)fallback;
        config.options = options[fallback];
        run(&config, check_fallbacks);
        assert_int_equal(result.operations, fallback == SIM_ECHO ? 5 : 4);
    }
}

static uint32_t leaf_1_ecx, leaf_1_edx;

static void read_leaf_1(const struct boot_info *boot)
{
    (void)boot;
    leaf_1_ecx = machine_cpuid(1, 0).ecx;
    leaf_1_edx = machine_cpuid(1, 0).edx;
}

static void test_leaf_1_follows_the_machine(void **state)
{
    (void)state;
    struct sim_config config = sim_default();

    config.lapic.x2apic = true;
    run(&config, read_leaf_1);
    assert_int_equal(leaf_1_ecx >> 21 & 1, 1);
    assert_int_equal(leaf_1_ecx >> 31, 1);
    assert_int_equal(leaf_1_edx >> 9 & 1, 1);
    config.lapic.x2apic = config.cpuid.hypervisor_bit = false;
    config.lapic.clock.fault = SIM_ABSENT;
    run(&config, read_leaf_1);
    assert_int_equal(leaf_1_ecx >> 21 & 1, 0);
    assert_int_equal(leaf_1_ecx >> 31, 0);
    assert_int_equal(leaf_1_edx >> 9 & 1, 0);
}

static bool msr_ok[3];
static uint64_t msr_value[3];

static void read_msrs(const struct boot_info *boot)
{
    (void)boot;
    msr_ok[0] = machine_rdmsr(0xce, &msr_value[0]);
    msr_ok[1] = machine_rdmsr(0x1b, &msr_value[1]);
    msr_ok[2] = machine_rdmsr(0x123, &msr_value[2]);
}

static void test_msrs(void **state)
{
    (void)state;
    struct sim_config config = sim_default();

    config.msrs[0].index = 0xce;
    config.msrs[0].value = 0x80000000u;
    config.msr_count = 1;
    config.unknown_msrs_read_zero = false;
    run(&config, read_msrs);
    assert_true(msr_ok[0]);
    assert_int_equal(msr_value[0], 0x80000000u);
    assert_true(msr_ok[1]);
    assert_int_equal(msr_value[1], 0xfee00900);
    assert_false(msr_ok[2]);
    config.unknown_msrs_read_zero = true;
    run(&config, read_msrs);
    assert_true(msr_ok[2]);
    assert_int_equal(msr_value[2], 0);
    assert_int_equal(result.violation_count, 0);
}

// --- Memory

static void check_memory(const struct boot_info *boot)
{
    const uint8_t *rsdp = phys_view(&machine_phys, 0xf5a40, 20);
    uint8_t sum = 0;

    assert_non_null(rsdp);
    assert_memory_equal(rsdp, "RSD PTR ", 8);
    for (unsigned i = 0; i < 20; i++)
        sum = (uint8_t)(sum + rsdp[i]);
    assert_int_equal(sum, 0);
    const uint8_t *bios_data = phys_view(&machine_phys, 0x40e, 2);
    assert_int_equal(bios_data[0] | bios_data[1] << 8, 0x9fc0);
    assert_null(phys_view(&machine_phys, 0xfffff, 2));
    assert_null(phys_view(&machine_phys, 0x400, UINT64_MAX));
    assert_null(phys_view(&machine_phys, UINT64_MAX, 1));
    assert_int_equal(boot->rsdp, 0);
    assert_string_equal(boot->cmdline, "window=1ms");
    assert_int_equal(boot->region_count, 5);
}

static void test_memory(void **state)
{
    (void)state;
    struct sim_config config = sim_default();

    config.options = "window=1ms";
    run(&config, check_memory);
    assert_int_equal(result.exit, SIM_RETURNED);
    assert_int_equal(result.violation_count, 0);
}

static uint64_t tsc_first, tsc_last;

static void read_tsc_twice(const struct boot_info *boot)
{
    (void)boot;
    tsc_first = machine_tsc();
    machine_pause();
    tsc_last = machine_tsc();
}

static void test_every_machine_runs(void **state)
{
    (void)state;
    for (size_t i = 0; i < sim_machine_count; i++) {
        struct sim_config config = sim_machine(sim_machines[i].name);
        run(&config, read_tsc_twice);
        assert_int_equal(result.exit, SIM_RETURNED);
        assert_true(tsc_last > tsc_first);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ways_out),
        cmocka_unit_test(test_hang_is_stopped),
        cmocka_unit_test(test_violations),
        cmocka_unit_test(test_cpuid_fallbacks),
        cmocka_unit_test(test_leaf_1_follows_the_machine),
        cmocka_unit_test(test_msrs),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_every_machine_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
