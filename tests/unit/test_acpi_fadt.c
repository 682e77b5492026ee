// lib/acpi_fadt.c: the FADT, and the WAET.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/acpi_machine.h"

// Sets `size` bytes of the FADT and parses.
struct change {
    size_t offset;
    uint64_t value;
    size_t size;
};

static struct acpi_tables with_fadt(const struct change *changes, size_t count)
{
    struct machine machine;

    build(&machine);
    for (size_t i = 0; i < count; i++)
        put(machine.fadt + changes[i].offset, changes[i].value, changes[i].size);
    seal_table(machine.fadt);
    return finish(&machine);
}

#define WITH_FADT(...)                                                                             \
    with_fadt((const struct change[]){__VA_ARGS__},                                                \
              sizeof((const struct change[]){__VA_ARGS__}) / sizeof(struct change))

static void test_the_pm_timer(void **state)
{
    (void)state;
    struct acpi_tables tables = WITH_FADT({112, 1u << 8, 4});

    assert_int_equal(tables.pm_timer_bits, 32);
    assert_int_equal(tables.problem_count, 0);
    // The extended address counts where there is one.
    tables = WITH_FADT({208, 1, 1}, {212, 0xb008, 8});
    assert_int_equal(tables.pm_timer_port, 0xb008);
    assert_int_equal(tables.problem_count, 0);
    tables = WITH_FADT({208, 0, 1}, {212, 0, 8});
    assert_int_equal(tables.pm_timer_port, 0x608);
    tables = WITH_FADT({76, 0xffff, 4});
    assert_int_equal(tables.pm_timer_port, 0xffff);
    tables = WITH_FADT({208, 0x2000, 2}, {212, 0xfed40000, 8});
    assert_int_equal(tables.pm_timer_port, 0);
    assert_problem(&tables, "FACP: the PM timer is in address space 0, not a port");
    tables = WITH_FADT({208, 1, 1}, {212, 0x10000, 8});
    assert_int_equal(tables.pm_timer_port, 0);
    assert_problem(&tables, "FACP: the PM timer is at 0x10000, not a port");
    tables = WITH_FADT({76, 0xffff0608, 4});
    assert_int_equal(tables.pm_timer_port, 0);
    assert_problem(&tables, "FACP: the PM timer is at 0xffff0608, not a port");
    tables = WITH_FADT({91, 3, 1});
    assert_int_equal(tables.pm_timer_port, 0);
    assert_int_equal(tables.pm_timer_bits, 0);
    assert_problem(&tables, "FACP: PM_TMR_LEN is 3, not 4");
    // None: not a problem.
    tables = WITH_FADT({76, 0, 4}, {91, 0, 1});
    assert_true(tables.has_fadt);
    assert_int_equal(tables.pm_timer_port, 0);
    assert_int_equal(tables.problem_count, 0);
}

static void test_reduced_hardware(void **state)
{
    (void)state;
    struct acpi_tables tables = WITH_FADT({112, 1u << 20 | 1u << 10, 4});

    assert_true(tables.has_fadt);
    assert_int_equal(tables.pm_timer_port, 0);
    assert_int_equal(tables.pm1a_control_port, 0);
    assert_int_equal(tables.pm1b_control_port, 0);
    assert_int_equal(tables.reset.address, 0xcf9);
    assert_true(tables.has_s5);
    assert_int_equal(tables.problem_count, 0);
}

static void test_the_pm1_control_blocks(void **state)
{
    (void)state;
    struct acpi_tables tables = WITH_FADT({172, 1, 1}, {176, 0x1004, 8}, {68, 0, 4});

    assert_int_equal(tables.pm1a_control_port, 0x1004);
    assert_int_equal(tables.pm1b_control_port, 0);
    assert_int_equal(tables.problem_count, 0);
    tables = WITH_FADT({184, 1, 1}, {188, 0x2004, 8});
    assert_int_equal(tables.pm1a_control_port, 0x604);
    assert_int_equal(tables.pm1b_control_port, 0x2004);
    tables = WITH_FADT({89, 1, 1});
    assert_int_equal(tables.pm1a_control_port, 0);
    assert_problem(&tables, "FACP: PM1_CNT_LEN is 1, not 2 or more");
    tables = WITH_FADT({172, 0, 1}, {176, 0xfed00000, 8});
    assert_int_equal(tables.pm1a_control_port, 0);
    assert_problem(&tables, "FACP: PM1a_CNT is in address space 0, not a port");
    tables = WITH_FADT({64, 0, 4}, {68, 0, 4}, {89, 0, 1});
    assert_int_equal(tables.pm1a_control_port, 0);
    assert_int_equal(tables.problem_count, 0);
}

static void test_the_reset_register(void **state)
{
    (void)state;
    struct acpi_tables tables = WITH_FADT({112, 0, 4});

    assert_int_equal(tables.reset.address, 0);
    assert_false(tables.reset.is_memory);
    tables = WITH_FADT({116, 0, 1}); // memory
    assert_int_equal(tables.reset.address, 0xcf9);
    assert_true(tables.reset.is_memory);
    tables = WITH_FADT({120, 0xfea00202, 8}, {116, 0, 1});
    assert_int_equal(tables.reset.address, 0xfea00202);
    tables = WITH_FADT({116, 2, 1}); // PCI configuration space
    assert_int_equal(tables.reset.address, 0);
    tables = WITH_FADT({120, 0, 8});
    assert_int_equal(tables.reset.address, 0);
    tables = WITH_FADT({120, 0x10cf9, 8});
    assert_int_equal(tables.reset.address, 0);
    assert_int_equal(tables.problem_count, 0);
}

// A FADT of ACPI 6, as microvm, Firecracker and Cloud Hypervisor have it.
static void test_a_long_fadt(void **state)
{
    (void)state;
    static const size_t lengths[] = {276, 275, 256, 255};

    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        struct machine machine;
        build(&machine);
        uint8_t *fadt = table(&machine, 0x300000, "FACP", lengths[i]);
        memcpy(fadt + 36, machine.fadt + 36, 244 - 36);
        fadt[8] = 6;
        put(fadt + 112, 1u << 20 | 1u << 10, 4);
        if (lengths[i] >= 256)
            put_gas(fadt + 244, 0, 0xfea00200);
        if (lengths[i] >= 276)
            memcpy(fadt + 268, "FIRECKVM", 8);
        seal_table(fadt);
        put(machine.xsdt + 36, 0x300000, 8);
        seal_table(machine.xsdt);
        struct acpi_tables tables = finish(&machine);
        assert_int_equal(tables.fadt_revision, 6);
        assert_string_equal(tables.hypervisor, lengths[i] >= 276 ? "FIRECKVM" : "");
        assert_int_equal(tables.sleep_control.address, lengths[i] >= 256 ? 0xfea00200 : 0);
        assert_int_equal(tables.sleep_control.is_memory, lengths[i] >= 256);
        assert_int_equal(tables.problem_count, 0);
    }
}

static void test_the_waet(void **state)
{
    (void)state;
    struct machine machine;

    build(&machine);
    memcpy(machine.ssdt, "WAET", 4);
    memcpy(machine.ssdt + 10, "BOCHS ", 6);
    machine.ssdt[36] = 2;
    seal_table(machine.ssdt);
    struct acpi_tables tables = finish(&machine);
    assert_true(tables.has_waet);
    assert_int_equal(tables.waet_flags, 2);
    assert_string_equal(tables.tables[0].oem_id, "MAKER ");
    assert_string_equal(tables.tables[1].oem_id, "BOCHS ");
}

static void test_a_fadt_ends_where_it_says(void **state)
{
    (void)state;
    for (uint32_t length = 116; length <= 244; length++) {
        struct machine machine;
        build(&machine);
        put_gas(machine.fadt + 172, 1, 0x1004);
        put_gas(machine.fadt + 184, 1, 0x2004);
        put_gas(machine.fadt + 208, 1, 0xb008);
        put(machine.fadt + 140, DSDT, 8);
        put(machine.fadt + 40, length >= 148 ? 0x1000 : DSDT, 4); // whichever counts is right
        put(machine.fadt + 4, length, 4);
        // Exactly so much memory.
        uint8_t *cut = memory_add(&machine.memory, 0x200000, length);
        memcpy(cut, machine.fadt, length);
        seal_table(cut);
        put(machine.xsdt + 36, 0x200000, 8);
        seal_table(machine.xsdt);
        struct acpi_tables tables = finish(&machine);
        assert_int_equal(tables.problem_count, 0);
        assert_int_equal(tables.reset.address != 0, length >= 129);
        assert_int_equal(tables.pm1a_control_port, length >= 184 ? 0x1004 : 0x604);
        assert_int_equal(tables.pm1b_control_port, length >= 196 ? 0x2004 : 0x704);
        assert_int_equal(tables.pm_timer_port, length >= 220 ? 0xb008 : 0x608);
        assert_true(tables.has_s5);
    }
}

static void test_where_the_dsdt_is(void **state)
{
    (void)state;
    struct acpi_tables tables = WITH_FADT({40, 0, 4}, {140, DSDT, 8});

    assert_true(tables.has_s5);
    assert_int_equal(tables.problem_count, 0);
    tables = WITH_FADT({40, 0x1000, 4}, {140, DSDT, 8}); // the extended one counts
    assert_true(tables.has_s5);
    assert_int_equal(tables.problem_count, 0);
    tables = WITH_FADT({40, 0, 4});
    assert_false(tables.has_s5);
    assert_problem(&tables, "FACP: it names no DSDT");
    tables = WITH_FADT({40, 0x1000, 4});
    assert_false(tables.has_s5);
    assert_problem(&tables, "DSDT: 0x1000 cannot be read");
    tables = WITH_FADT({140, UINT64_MAX - 3, 8});
    assert_false(tables.has_s5);
    assert_problem(&tables, "DSDT: 0xfffffffffffffffc cannot be read");
    tables = WITH_FADT({40, SSDT, 4});
    assert_false(tables.has_s5);
    assert_problem(&tables, "DSDT: at 0x7fe6000 is \"SSDT\"");
    assert_int_equal(tables.pm_timer_port, 0x608);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_pm_timer),
        cmocka_unit_test(test_reduced_hardware),
        cmocka_unit_test(test_the_pm1_control_blocks),
        cmocka_unit_test(test_the_reset_register),
        cmocka_unit_test(test_a_long_fadt),
        cmocka_unit_test(test_the_waet),
        cmocka_unit_test(test_a_fadt_ends_where_it_says),
        cmocka_unit_test(test_where_the_dsdt_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
