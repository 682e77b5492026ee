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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_efi),
        cmocka_unit_test(test_efi_does_not_work),
        cmocka_unit_test(test_auto_and_reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
