// The sleep types of \_S5, from the tables to what is known: in a DSDT or an SSDT.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/acpi_machine.h"

static struct acpi_tables with_aml(const uint8_t *aml, size_t length)
{
    struct machine machine;
    uint8_t *dsdt;

    build(&machine);
    dsdt = table(&machine, 0x200000, "DSDT", 36 + length);
    memcpy(dsdt + 36, aml, length);
    dsdt[35] = 8; // a NameOp, were it not the header's last byte
    seal_table(dsdt);
    put(machine.fadt + 40, 0x200000, 4);
    seal_table(machine.fadt);
    return finish(&machine);
}

struct aml {
    uint8_t bytes[24];
    uint8_t length;
    uint8_t a, b;
};

static void test_sleep_types(void **state)
{
    (void)state;
    static const struct aml right[] = {
        {{8, '_', 'S', '5', '_', 0x12, 6, 4, 0, 0, 0, 0}, 12, 0, 0},
        {{8, '_', 'S', '5', '_', 0x12, 6, 4, 1, 0, 0, 0}, 12, 1, 0},
        {{8, '\\', '_', 'S', '5', '_', 0x12, 7, 4, 0x0a, 5, 1, 0, 0}, 14, 5, 1},
        {{8, '_', 'S', '5', '_', 0x12, 4, 2, 0, 1}, 10, 0, 1},
        {{8, '_', 'S', '5', '_', 0x12, 6, 2, 0x0a, 7, 0x0a, 6}, 12, 7, 6},
        {{8, '_', 'S', '5', '_', 0x12, 8, 2, 0x0b, 5, 0, 0x0b, 4, 0}, 14, 5, 4},
        {{8, '_', 'S', '5', '_', 0x12, 12, 2, 0x0c, 3, 0, 0, 0, 0x0c, 2, 0, 0, 0}, 18, 3, 2},
        // PkgLength of two, three and four bytes
        {{8, '_', 'S', '5', '_', 0x12, 0x47, 0, 2, 0x0a, 5, 0x0a, 5}, 13, 5, 5},
        {{8, '_', 'S', '5', '_', 0x12, 0x88, 0, 0, 2, 0x0a, 5, 0x0a, 5}, 14, 5, 5},
        {{8, '_', 'S', '5', '_', 0x12, 0xc9, 0, 0, 0, 2, 0x0a, 5, 0x0a, 5}, 15, 5, 5},
        // Something that looks like it comes first.
        {{'_', 'S', '5', '_', 8, '_', 'S', '5', '_', 0x12, 4, 2, 1, 1}, 14, 1, 1},
        {{8, '_', 'S', '5', '_', 8, '_', 'S', '5', '_', 0x12, 4, 2, 1, 1}, 15, 1, 1},
    };

    for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
        struct acpi_tables tables = with_aml(right[i].bytes, right[i].length);
        assert_true(tables.has_s5);
        assert_int_equal(tables.s5_type_a, right[i].a);
        assert_int_equal(tables.s5_type_b, right[i].b);
        assert_int_equal(tables.problem_count, 0);
    }
}

static void test_no_sleep_types(void **state)
{
    (void)state;
    static const struct aml none[] = {
        {{0}, 0, 0, 0},
        {{'_', 'S', '5', '_', 0x12, 4, 2, 1, 1}, 9, 0, 0}, // no NameOp
        {{'\\', '_', 'S', '5', '_', 0x12, 4, 2, 1, 1}, 10, 0, 0},
        {{8, '_', 'S', '4', '_', 0x12, 4, 2, 1, 1}, 10, 0, 0},
        {{8, '_', 'S', '5'}, 4, 0, 0},
    };
    static const struct aml wrong[] = {
        {{8, '_', 'S', '5', '_'}, 5, 0, 0},
        {{8, '_', 'S', '5', '_', 0x11, 4, 2, 1, 1}, 10, 0, 0}, // a buffer
        {{8, '_', 'S', '5', '_', 0x12}, 6, 0, 0},
        {{8, '_', 'S', '5', '_', 0x12, 0}, 7, 0, 0},
        {{8, '_', 'S', '5', '_', 0x12, 0xc4}, 7, 0, 0},
        {{8, '_', 'S', '5', '_', 0x12, 0xc4, 0, 0}, 9, 0, 0},
        {{8, '_', 'S', '5', '_', 0x12, 1, 2, 1, 1}, 10, 0, 0}, // ends before its elements
        {{8, '_', 'S', '5', '_', 0x12, 3, 2, 1, 1}, 10, 0, 0}, // ends between them
        {{8, '_', 'S', '5', '_', 0x12, 5, 2, 1, 1}, 10, 0, 0}, // ends beyond the DSDT
        {{8, '_', 'S', '5', '_', 0x12, 0xcf, 255, 255, 255, 2, 1, 1}, 13, 0, 0},
        {{8, '_', 'S', '5', '_', 0x12, 0x41, 0, 2, 1, 1}, 11, 0, 0}, // within its own length
        {{8, '_', 'S', '5', '_', 0x12, 4, 1, 1, 1}, 10, 0, 0},       // one element
        {{8, '_', 'S', '5', '_', 0x12, 5, 2, 0x0a, 8, 1}, 11, 0, 0}, // not 3 bits
        {{8, '_', 'S', '5', '_', 0x12, 6, 2, 0x0b, 5, 1, 1}, 12, 0, 0},
        {{8, '_', 'S', '5', '_', 0x12, 4, 2, 0x0a, 5}, 10, 0, 0},
        {{8, '_', 'S', '5', '_', 0x12, 5, 2, 1, 0x0b, 5}, 11, 0, 0},
        {{8, '_', 'S', '5', '_', 0x12, 5, 2, 1, 0x0c, 5}, 11, 0, 0},
        {{8, '_', 'S', '5', '_', 0x12, 4, 2, 0x0d, 1}, 10, 0, 0}, // a string
    };

    for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
        struct acpi_tables tables = with_aml(none[i].bytes, none[i].length);
        assert_false(tables.has_s5);
        assert_int_equal(tables.problem_count, 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct acpi_tables tables = with_aml(wrong[i].bytes, wrong[i].length);
        assert_false(tables.has_s5);
        assert_problem(&tables, "DSDT: \\_S5 is not a package of two sleep types");
    }
}

static void test_long_packages(void **state)
{
    (void)state;
    // PkgLengths that need their 2nd, 3rd and 4th byte (20.2.4): the lowest 4 bits come first.
    static const struct {
        uint8_t length[4];
        size_t length_size, value;
    } cases[] = {{{0x43, 0x12}, 2, 0x123},
                 {{0x84, 0x23, 0x01}, 3, 0x1234},
                 {{0xc5, 0x34, 0x12, 0x00}, 4, 0x12345}};
    static uint8_t aml[0x20000];

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t end = 6 + cases[i].value;
        memset(aml, 0, sizeof(aml));
        memcpy(aml, "\010_S5_\022", 6);
        memcpy(aml + 6, cases[i].length, cases[i].length_size);
        memcpy(aml + 6 + cases[i].length_size, "\004\012\005\012\006", 5);
        struct acpi_tables tables = with_aml(aml, end);
        assert_true(tables.has_s5);
        assert_int_equal(tables.s5_type_a, 5);
        assert_int_equal(tables.s5_type_b, 6);
        tables = with_aml(aml, end - 1); // it ends beyond the DSDT
        assert_false(tables.has_s5);
    }
}

// \\_S5 may also be in an SSDT, of which there are many.
static void test_sleep_types_in_an_ssdt(void **state)
{
    (void)state;
    struct machine machine;

    for (unsigned i = 0; i < 4; i++) {
        build(&machine);
        machine.dsdt[36 + 15] = 'X'; // no longer _S5_
        if (i != 1)
            seal_table(machine.dsdt);
        memcpy(machine.ssdt + 36, "\010_S5_\022\004\002\001\000", 10);
        seal_table(machine.ssdt);
        if (i == 2)
            machine.ssdt[9]++;
        if (i == 3) { // an SSDT that comes before the FADT
            put(machine.xsdt + 36, SSDT, 8);
            put(machine.xsdt + 36 + 8, FADT, 8);
            seal_table(machine.xsdt);
        }
        struct acpi_tables tables = finish(&machine);
        assert_int_equal(tables.has_s5, i != 2);
        assert_int_equal(tables.problem_count, i == 1 || i == 2);
        if (tables.has_s5)
            assert_int_equal(tables.s5_type_a * 10 + tables.s5_type_b, 10);
    }
}

static void test_a_large_dsdt(void **state)
{
    (void)state;
    static uint8_t aml[(1 << 20) - 36 + 1];

    memset(aml, '_', sizeof(aml));
    memcpy(aml + sizeof(aml) - 11, "\010_S5_\022\004\002\001\001", 10);
    struct acpi_tables tables = with_aml(aml, sizeof(aml) - 1);
    assert_true(tables.has_s5);
    assert_int_equal(tables.s5_type_a, 1);
    tables = with_aml(aml, sizeof(aml));
    assert_false(tables.has_s5);
    assert_problem(&tables, "DSDT: its length is 1048577, not 36 to 1048576");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sleep_types),   cmocka_unit_test(test_no_sleep_types),
        cmocka_unit_test(test_long_packages), cmocka_unit_test(test_sleep_types_in_an_ssdt),
        cmocka_unit_test(test_a_large_dsdt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
