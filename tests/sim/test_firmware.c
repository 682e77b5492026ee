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

// --- Who runs this guest

static void expect_identity(const char *conclusion, const char *confidence)
{
    expect(find("identity", NULL, NULL), "conclusion", conclusion);
    expect(find("identity", NULL, NULL), "confidence", confidence);
}

static void test_identity(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("firecracker");

    config.options = "window=5ms";
    config.com2.present = true;
    config.acpi.oem_id = "FIRECK";
    config.acpi.hypervisor = "FIRECKVM";
    run(&config);
    expect_identity("Firecracker on KVM", "high");
    expect(find("evidence", "source", "fadt"), "points_to", "Firecracker");
    assert_non_null(strstr(result.com1.bytes, "  => Firecracker on KVM; confidence high"));

    config = sim_machine("kvm-hyper-v");
    config.options = "window=5ms";
    run(&config);
    expect_identity("KVM, the program around it not named", "medium");
    expect(find("identity", NULL, NULL), "impersonation",
           "KVM shows Hyper-V's interface; something answers VMware's port");

    config = sim_machine("bare-amd");
    config.options = "window=5ms";
    config.com2.present = true;
    run(&config);
    expect_identity("no hypervisor that shows itself", "low");
}

static void test_leaves_that_tell_more(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("kvm");

    config.options = "window=5ms";
    sim_cpuid_set(&config, 0x80000000, 0x8000001f, 0x68747541, 0x444d4163, 0x69746e65);
    sim_cpuid_set(&config, 0x8000001f, 2, 0, 0, 0);
    run(&config); // the MSR raises #GP
    expect(find("evidence", "source", "sev"), "finding", "leaf 0x8000001f: AMD SEV, not in force");
    sim_msr_set(&config, 0xc0010131, 5);
    run(&config);
    expect(find("evidence", "source", "sev"), "finding",
           "leaf 0x8000001f: AMD SEV, SEV-SNP in force");

    config = sim_machine("hyper-v-gen1");
    config.options = "window=5ms";
    config.acpi.oem_id = NULL;
    sim_cpuid_set(&config, 0, 0x21, 0x756e6547, 0x6c65746e, 0x49656e69);
    sim_cpuid_set(&config, 0x21, 0, 0x65746e49, 0x20202020, 0x5844546c);
    run(&config);
    find("evidence", "source", "tdx");
    sim_cpuid_set(&config, 0, 0x20, 0x756e6547, 0x6c65746e, 0x49656e69); // now out of range
    sim_cpuid_set(&config, 0x40000003, 0x2e7f, 1u << 12, 0, 0x1bed7b2);
    run(&config);
    assert_null(strstr(result.com2.bytes, "\"source\":\"tdx\""));
    expect_identity("real hardware, under Hyper-V as its root partition", "medium");
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
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_leaves_that_tell_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
