// Options from firmware: SMBIOS OEM strings and QEMU's fw_cfg, and what may be wrong with them.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/run.h"

static struct sim_config with(const char *smbios, const char *fw_cfg, const char *line)
{
    struct sim_config config = sim_default();

    config.smbios = (struct sim_smbios){.present = true, .oem_string = smbios};
    config.fw_cfg = (struct sim_fw_cfg){.present = true, .options = fw_cfg};
    config.options = line;
    return config;
}

static bool has_note(const char *text)
{
    return strstr(result.com2.bytes, text) != NULL;
}

static void test_each_source(void **state)
{
    (void)state;
    struct sim_config config = with("hypertick:window=5ms exit=halt", NULL, "");

    run(&config);
    expect_end("pass");
    assert_int_equal(result.exit, SIM_HALT);
    expect(find("options", "source", "smbios"), "line", "window=5ms exit=halt");
    config = with("not for us", "window=5ms\nexit=acpi\n", "");
    run(&config);
    expect_end("pass");
    assert_int_equal(result.exit, SIM_S5);
    expect(find("options", "source", "fw_cfg"), "line", "window=5ms exit=acpi ");
    assert_non_null(strstr(result.com1.bytes, "options   fw_cfg: window=5ms"));
    assert_null(strstr(result.com2.bytes, "\"source\":\"smbios\",\"line\""));
}

static void test_the_order(void **state)
{
    (void)state;
    struct sim_config config =
        with("hypertick:window=5ms exit=acpi", "exit=reset com1=off", "exit=halt");

    run(&config);
    expect_end("pass");
    assert_int_equal(result.exit, SIM_HALT);
    assert_int_equal(result.com1.length, 0); // firmware's options decide about the sinks, too
    config.options = "com1=text";
    run(&config);
    assert_int_equal(result.exit, SIM_RESET);
    assert_non_null(strstr(result.com1.bytes, "PASS"));
    assert_non_null(strstr(result.com2.bytes, "\"source\":\"boot\""));
}

static void test_errors_name_the_source(void **state)
{
    (void)state;
    struct sim_config config =
        with("hypertick:window=soon", "window=5ms window=5ms nonsense", "window=5ms");

    run(&config);
    expect_end("fail");
    assert_true(has_note("\\\"window=soon\\\" of SMBIOS: expected a duration"));
    assert_true(has_note("\\\"window=5ms\\\" of fw_cfg: expected window= only once"));
    assert_true(has_note("\\\"nonsense\\\" of fw_cfg: expected key=value"));
}

static void test_firmware_that_lies(void **state)
{
    (void)state;
    struct sim_config config = with("hypertick:exit=halt", "exit=acpi", "window=5ms");

    config.smbios.damaged = true;
    config.fw_cfg.lie = SIM_FW_CFG_OTHER;
    run(&config);
    expect_end("pass");
    assert_int_equal(result.exit, SIM_DEBUG_EXIT);
    assert_true(has_note("SMBIOS: the entry point at 0xf5000 is damaged"));
    config.fw_cfg.lie = SIM_FW_CFG_ENDLESS;
    run(&config);
    expect_end("pass");
    assert_true(has_note("fw_cfg: its directory states 4294967295 files: not read"));
    config.fw_cfg.lie = SIM_FW_CFG_HUGE;
    config.smbios.present = false;
    run(&config);
    assert_true(has_note("fw_cfg: opt/hypertick/options has 4294967295 bytes, of which the first "
                         "2047 are read"));
    assert_int_equal(result.exit, SIM_S5);
}

static void test_more_than_fits(void **state)
{
    static char line[3000];

    (void)state;
    memset(line, ' ', sizeof(line) - 1);
    memcpy(line, "window=5ms", 10);
    memcpy(line + sizeof(line) - 10, "exit=halt", 9);
    struct sim_config config = with(NULL, line, "");
    run(&config);
    expect_end("pass"); // what was cut off is said
    assert_int_equal(result.exit, SIM_DEBUG_EXIT);
    assert_true(has_note("has 2999 bytes, of which the first 2047 are read"));
}

// Where nothing speaks for QEMU its ports are not touched: the run would end in a violation.
static void test_no_evidence_no_access(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("bare-intel");

    config.options = "window=5ms";
    config.fw_cfg = (struct sim_fw_cfg){.present = true, .options = "exit=halt window=6ms"};
    run(&config);
    assert_null(strstr(result.com2.bytes, "fw_cfg"));
    config.fw_cfg.present = false;
    run(&config);
    // QEMU's own tables are evidence, whatever CPUID says.
    config = with(NULL, "window=6ms", "");
    config.cpuid.hypervisor_bit = false;
    config.smbios.manufacturer = "QEMU";
    sim_set_cpu(&config, sim_cpu_amd, 0xd);
    run(&config);
    expect(find("options", "source", "fw_cfg"), "line", "window=6ms");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_source),
        cmocka_unit_test(test_the_order),
        cmocka_unit_test(test_errors_name_the_source),
        cmocka_unit_test(test_firmware_that_lies),
        cmocka_unit_test(test_more_than_fits),
        cmocka_unit_test(test_no_evidence_no_access),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
