// How the machine is left: each way of exit=, and what comes next where it does not work.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "tests/sim/run.h"

#define COLD     0
#define SHUTDOWN 2

// Booted by UEFI, with no other way out.
static struct sim_config efi_only(const char *options)
{
    struct sim_config config = sim_default();

    config.efi = SIM_EFI_SOUND;
    config.debug_exit = config.keyboard_reset = config.cf9_reset = false;
    config.acpi.has_s5 = false;
    config.acpi.reset_port = 0;
    config.options = options;
    return config;
}

static void expect_exit(const struct sim_config *config, enum sim_exit exit, uint32_t value)
{
    run(config);
    assert_int_equal(result.exit, exit);
    if (exit != SIM_HALT)
        assert_int_equal(result.value, value);
    expect_end("pass");
}

static void test_efi(void **state)
{
    (void)state;
    struct sim_config config = efi_only("window=5ms exit=efi");

    expect_exit(&config, SIM_EFI_RESET, SHUTDOWN);
    config.acpi.has_s5 = true;
    config.debug_exit = true;
    expect_exit(&config, SIM_EFI_RESET, SHUTDOWN);
}

static void test_efi_does_not_work(void **state)
{
    static const enum sim_efi kinds[] = {SIM_EFI_NONE, SIM_EFI_RETURNS, SIM_EFI_NO_SIGNATURE,
                                         SIM_EFI_RUNTIME_NOWHERE};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        struct sim_config config = efi_only("window=5ms exit=efi");
        config.efi = kinds[i];
        expect_exit(&config, SIM_HALT, 0);
        config.acpi.has_s5 = true;
        run(&config);
        assert_int_equal(result.exit, SIM_S5);
    }
}

static void test_auto_and_reset(void **state)
{
    (void)state;
    struct sim_config config = efi_only("window=5ms");

    expect_exit(&config, SIM_EFI_RESET, SHUTDOWN);
    config.options = "window=5ms exit=reset";
    expect_exit(&config, SIM_EFI_RESET, COLD);
    config.options = "window=5ms exit=halt";
    expect_exit(&config, SIM_HALT, 0);
    // What is bounded comes first.
    config.acpi.has_s5 = true;
    config.options = "window=5ms";
    run(&config);
    assert_int_equal(result.exit, SIM_S5);
    config.debug_exit = true;
    expect_exit(&config, SIM_DEBUG_EXIT, 0x10);
}

// --- Firmware's registers, hypervisors' ports, resets

// No way out but those that a test adds.
static struct sim_config sealed(const char *machine, const char *options)
{
    struct sim_config config = sim_machine(machine);

    config.debug_exit = config.keyboard_reset = config.cf9_reset = false;
    config.acpi.has_s5 = false;
    config.acpi.reset_port = 0;
    config.com1.present = config.com2.present = true;
    config.options = options;
    return config;
}

static void expect_leaves(const struct sim_config *config, enum sim_exit exit, uint32_t value)
{
    run(config);
    assert_int_equal(result.exit, exit);
    if (exit != SIM_HALT)
        assert_int_equal(result.value, value);
}

static void test_reduced_hardware(void **state)
{
    (void)state;
    struct sim_config config = sealed("microvm", "window=5ms");

    config.acpi.xsdt = true;
    config.acpi.sleep_address = 0xfea00200;
    config.acpi.reset_address = 0xfea00202;
    config.acpi.reset_value = 0x42;
    expect_leaves(&config, SIM_RESET, 0xfea00202); // \\_S5 is not known
    config.acpi.has_s5 = true;
    expect_leaves(&config, SIM_S5, 0x34);
    config.options = "window=5ms exit=acpi";
    expect_leaves(&config, SIM_S5, 0x34);
    config.options = "window=5ms exit=reset";
    expect_leaves(&config, SIM_RESET, 0xfea00202);
    config.options = "window=5ms exit=halt";
    expect_leaves(&config, SIM_HALT, 0);
    // A FADT that names an address in RAM, or beyond what is mapped, is not obeyed.
    config.options = "window=5ms";
    config.acpi.sleep_address = 0x200000;
    config.acpi.reset_address = 0x100000000;
    expect_leaves(&config, SIM_HALT, 0);
}

static void test_ports_of_hypervisors(void **state)
{
    (void)state;
    struct sim_config config = sealed("bochs", "window=5ms");

    config.shutdown = SIM_SHUTDOWN_BOCHS;
    expect_leaves(&config, SIM_HALT, 0); // nothing says that it is Bochs
    config.smbios = (struct sim_smbios){.present = true, .manufacturer = "Bochs"};
    expect_leaves(&config, SIM_SHUTDOWN, 0x8900);
    config.options = "window=5ms exit=acpi";
    expect_leaves(&config, SIM_HALT, 0);

    config = sealed("cloud-hypervisor", "window=5ms");
    config.pm_timer.clock.fault = SIM_ABSENT;
    config.acpi.pm1a_port = 0;
    config.shutdown = SIM_SHUTDOWN_CLOUD_HYPERVISOR;
    config.acpi.oem_id = "CLOUDH";
    config.acpi.hypervisor = "CLOUDHYP";
    expect_leaves(&config, SIM_SHUTDOWN, 0x600);
    config.acpi.oem_id = config.acpi.hypervisor = NULL;
    expect_leaves(&config, SIM_HALT, 0);

    config = sealed("virtualbox", "window=5ms");
    config.acpi.pm1a_port = 0;
    config.shutdown = SIM_SHUTDOWN_VIRTUALBOX;
    config.smbios = (struct sim_smbios){
        .present = true, .bios_vendor = "innotek GmbH", .product = "VirtualBox"};
    expect_leaves(&config, SIM_SHUTDOWN, 0x4004);
    config.smbios = (struct sim_smbios){0};
    expect_leaves(&config, SIM_HALT, 0);
}

static void test_the_order_of_resets(void **state)
{
    (void)state;
    struct sim_config config = sealed("qemu-tcg", "window=5ms exit=reset");

    config.keyboard_reset = config.cf9_reset = true;
    config.acpi.reset_port = 0x92;
    expect_leaves(&config, SIM_RESET, 0x92);
    config.acpi.reset_port = 0;
    expect_leaves(&config, SIM_RESET, 0x64);
    config.keyboard_reset = false;
    expect_leaves(&config, SIM_RESET, 0xcf9);
    config.cf9_reset = false;
    expect_leaves(&config, SIM_HALT, 0);
    // S5 is no reset.
    config.acpi.has_s5 = true;
    expect_leaves(&config, SIM_HALT, 0);
}

static void test_without_the_device_as_auto(void **state)
{
    (void)state;
    struct sim_config config = sealed("kvm", "window=5ms exit=qemu");

    config.keyboard_reset = true;
    expect_leaves(&config, SIM_RESET, 0x64);
    config.acpi.has_s5 = true;
    run(&config);
    assert_int_equal(result.exit, SIM_S5);
}

// The screen is all that a machine without a hypervisor keeps.
static void test_hardware_is_not_reset_unasked(void **state)
{
    (void)state;
    struct sim_config config = sealed("bare-amd", "window=5ms");

    config.keyboard_reset = config.cf9_reset = true;
    config.acpi.reset_port = 0xcf9;
    expect_leaves(&config, SIM_HALT, 0);
    assert_non_null(strstr(result.com1.bytes, "Halted.\r\n"));
    config.options = "window=5ms exit=reset";
    expect_leaves(&config, SIM_RESET, 0xcf9);
}

// Who has nothing but the screen would see nothing of it when the machine is off.
static void test_the_screen_alone_is_kept(void **state)
{
    (void)state;
    struct sim_config config = sealed("qemu-tcg", "window=5ms");

    config.screen = config.keyboard_reset = config.acpi.has_s5 = true;
    run(&config);
    assert_int_equal(result.exit, SIM_S5); // COM1 has it, too
    config.com1.stops_after = 300;
    run(&config);
    assert_int_equal(result.exit, SIM_S5); // ... or some of it: somebody waits for the end
    config.com1.present = config.com2.present = false;
    sim_run(&config, &result);
    assert_int_equal(result.exit, SIM_HALT);
    assert_non_null(strstr(result.screen, "\nPASS: "));
    assert_non_null(strstr(result.screen, "\nHalted, so that the screen keeps this; exit=acpi "));
    config.options = "window=5ms exit=acpi";
    sim_run(&config, &result);
    assert_int_equal(result.exit, SIM_S5);
    config.options = "window=5ms exit=reset";
    sim_run(&config, &result);
    assert_int_equal(result.exit, SIM_RESET);
    // Whoever gave QEMU an exit device wants the status.
    config.options = "window=5ms";
    config.debug_exit = true;
    sim_run(&config, &result);
    assert_int_equal(result.exit, SIM_DEBUG_EXIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_efi),
        cmocka_unit_test(test_efi_does_not_work),
        cmocka_unit_test(test_auto_and_reset),
        cmocka_unit_test(test_reduced_hardware),
        cmocka_unit_test(test_ports_of_hypervisors),
        cmocka_unit_test(test_the_order_of_resets),
        cmocka_unit_test(test_without_the_device_as_auto),
        cmocka_unit_test(test_hardware_is_not_reset_unasked),
        cmocka_unit_test(test_the_screen_alone_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
