// lib/acpi_madt.c: the MADT; and the HPET table.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/acpi_machine.h"

static void test_the_hpet_table(void **state)
{
    (void)state;
    static const struct {
        uint8_t space;
        uint64_t address;
        const char *problem;
    } cases[] = {
        {0, 0, "HPET: its address is 0x0 in address space 0"},
        {1, 0xfed0, "HPET: its address is 0xfed0 in address space 1"},
        {255, 0xfed00000, "HPET: its address is 0xfed00000 in address space 255"},
    };
    struct machine machine;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        build(&machine);
        put_gas(machine.hpet + 40, cases[i].space, cases[i].address);
        seal_table(machine.hpet);
        struct acpi_tables tables = finish(&machine);
        assert_false(tables.has_hpet);
        assert_int_equal(tables.hpet_address, 0);
        assert_problem(&tables, cases[i].problem);
    }
    build(&machine);
    put_gas(machine.hpet + 40, 0, UINT64_MAX); // whether that can be is for the driver to say
    seal_table(machine.hpet);
    struct acpi_tables tables = finish(&machine);
    assert_int_equal(tables.hpet_address, UINT64_MAX);
}

static struct acpi_tables with_madt(const uint8_t *entries, size_t length)
{
    struct machine machine;
    uint8_t *madt;

    build(&machine);
    madt = table(&machine, 0x200000, "APIC", 44 + length);
    memcpy(madt + 44, entries, length);
    seal_table(madt);
    put(machine.xsdt + 36 + 24, 0x200000, 8);
    seal_table(machine.xsdt);
    return finish(&machine);
}

static void test_madt_entries_that_lie(void **state)
{
    (void)state;
    static const struct {
        uint8_t entries[24];
        size_t length;
        unsigned cpus;
        const char *problem;
    } cases[] = {
        {{0}, 0, 0, NULL},
        {{0, 8, 0, 0, 1, 0, 0, 0, 77, 2}, 10, 1, NULL}, // a type that is not known
        {{0, 6, 0, 0, 1, 0}, 6, 0, NULL},               // too short for its flags
        {{9, 8, 0, 0, 1, 0, 0, 0}, 8, 0, NULL},
        {{0, 8, 0, 0, 4, 0, 0, 0}, 8, 0, NULL}, // neither of the two flags
        {{0, 8, 0, 0, 1, 0, 0, 0, 0, 0}, 10, 1, "APIC: the entry at offset 52 has a wrong length"},
        {{0, 1, 0, 0, 1, 0, 0, 0}, 8, 0, "APIC: the entry at offset 44 has a wrong length"},
        {{0, 9, 0, 0, 1, 0, 0, 0}, 8, 0, "APIC: the entry at offset 44 has a wrong length"},
        {{0, 8, 0, 0, 1, 0, 0, 0, 0}, 9, 1, "APIC: the entry at offset 52 has a wrong length"},
        {{0, 8, 0, 0, 1, 0, 0}, 7, 0, "APIC: the entry at offset 44 has a wrong length"},
        {{9, 16, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}, 16, 1, NULL},
        {{9, 16, 0, 0, 5, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0}, 16, 0, NULL},
        {{0, 255}, 2, 0, "APIC: the entry at offset 44 has a wrong length"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct acpi_tables tables = with_madt(cases[i].entries, cases[i].length);
        assert_true(tables.has_madt);
        assert_int_equal(tables.cpus, cases[i].cpus);
        if (cases[i].problem)
            assert_problem(&tables, cases[i].problem);
        else
            assert_int_equal(tables.problem_count, 0);
    }
}

static void test_madt_apic_ids(void **state)
{
    (void)state;
    static const uint8_t entries[] = {
        0, 8,  0, 7,   1, 0, 0, 0,                         // processor 0 has APIC id 7
        0, 8,  1, 9,   2, 0, 0, 0,                         // may be plugged in later
        0, 8,  2, 3,   1, 0, 0, 0,                         //
        9, 16, 0, 0,   3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, // the same again
        9, 16, 0, 0,   0, 1, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, // beyond 8 bits
        0, 8,  4, 255, 0, 0, 0, 0,                         // disabled
    };
    struct acpi_tables tables = with_madt(entries, sizeof(entries));

    assert_int_equal(tables.cpus, 4);
    assert_int_equal(tables.apic_id_count, 3);
    assert_int_equal(tables.apic_ids[0], 7);
    assert_int_equal(tables.apic_ids[1], 3);
    assert_int_equal(tables.apic_ids[2], 256);
}

static void test_madt_with_more_than_is_kept(void **state)
{
    (void)state;
    static uint8_t entries[300][16];

    for (unsigned i = 0; i < 300; i++) {
        entries[i][0] = 9;
        entries[i][1] = 16;
        entries[i][4] = (uint8_t)i;
        entries[i][5] = (uint8_t)(i >> 8);
        entries[i][8] = 1;
    }
    struct acpi_tables tables = with_madt(entries[0], sizeof(entries));
    assert_int_equal(tables.cpus, 300);
    assert_int_equal(tables.apic_id_count, 300);
    assert_int_equal(tables.apic_ids[ACPI_APIC_IDS_MAX - 1], ACPI_APIC_IDS_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_hpet_table),
        cmocka_unit_test(test_madt_entries_that_lie),
        cmocka_unit_test(test_madt_apic_ids),
        cmocka_unit_test(test_madt_with_more_than_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
