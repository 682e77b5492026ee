// \_S5 in AML: what QEMU writes, what others may, and what makes no sense.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/aml.h"
#include "tests/unit/stream.h"

static uint8_t types[2];

// On a copy of exactly so many bytes, so that the sanitizer sees a read beyond.
static enum aml_s5 find(const void *bytes, size_t length)
{
    uint8_t *copy = malloc(length ? length : 1);

    assert_non_null(copy);
    memcpy(copy, bytes, length);
    types[0] = types[1] = 0xff;
    enum aml_s5 found = aml_find_s5(copy, length, types);
    free(copy);
    return found;
}
#define FIND(literal) find(literal, sizeof(literal) - 1)

// QEMU 7.2's pc and q35: the first scope, the beginning of the second, and the one with the sleep
// states.
static const uint8_t qemu_pc[] = {
    0x10, 0x49, 0x04, 0x5c, 0x00, 0x5b, 0x80, 0x44, 0x42, 0x47, 0x5f, 0x01, 0x0b, 0x02, 0x04, 0x01,
    0x5b, 0x81, 0x0b, 0x44, 0x42, 0x47, 0x5f, 0x01, 0x44, 0x42, 0x47, 0x42, 0x08, 0x14, 0x2c, 0x44,
    0x42, 0x55, 0x47, 0x01, 0x98, 0x68, 0x60, 0x96, 0x60, 0x60, 0x74, 0x87, 0x60, 0x01, 0x61, 0x70,
    0x00, 0x62, 0xa2, 0x10, 0x95, 0x62, 0x61, 0x70, 0x83, 0x88, 0x60, 0x62, 0x00, 0x44, 0x42, 0x47,
    0x42, 0x75, 0x62, 0x70, 0x0a, 0x0a, 0x44, 0x42, 0x47, 0x42,
    // Scope (_SB) {Device (PCI0) {...}}
    0x10, 0x22, 0x5f, 0x53, 0x42, 0x5f, 0x5b, 0x82, 0x1b, 0x50, 0x43, 0x49, 0x30, 0x08, 0x5f, 0x48,
    0x49, 0x44, 0x0c, 0x41, 0xd0, 0x0a, 0x03, 0x08, 0x5f, 0x41, 0x44, 0x52, 0x00, 0x08, 0x5f, 0x55,
    0x49, 0x44, 0x00,
    // Scope (\) {Name (_S3, ...) Name (_S4, ...) Name (_S5, Package () {0, 0, 0, 0})}
    0x10, 0x29, 0x5c, 0x00, 0x08, 0x5f, 0x53, 0x33, 0x5f, 0x12, 0x06, 0x04, 0x01, 0x01, 0x00, 0x00,
    0x08, 0x5f, 0x53, 0x34, 0x5f, 0x12, 0x08, 0x04, 0x0a, 0x02, 0x0a, 0x02, 0x00, 0x00, 0x08, 0x5f,
    0x53, 0x35, 0x5f, 0x12, 0x06, 0x04, 0x00, 0x00, 0x00, 0x00};

// QEMU 7.2's microvm: the last bytes of its only other scope, and the scope with \_S5.
static const uint8_t qemu_microvm[] = {0x08, 0x5f, 0x55, 0x49, 0x44, 0x00, 0x10, 0x10,
                                       0x5c, 0x00, 0x08, 0x5f, 0x53, 0x35, 0x5f, 0x12,
                                       0x07, 0x04, 0x0a, 0x05, 0x00, 0x00, 0x00};

static void test_qemu(void **state)
{
    (void)state;
    assert_int_equal(find(qemu_pc, sizeof(qemu_pc)), AML_S5_FOUND);
    assert_int_equal(types[0], 0);
    assert_int_equal(types[1], 0);
    assert_int_equal(find(qemu_microvm, sizeof(qemu_microvm)), AML_S5_FOUND);
    assert_int_equal(types[0], 5);
    assert_int_equal(types[1], 0);
    // Cut off anywhere: never found, unless the package is whole.
    for (size_t length = 0; length < sizeof(qemu_microvm); length++)
        assert_int_not_equal(find(qemu_microvm, length), AML_S5_FOUND);
}

#define S5 "\x08_S5_\x12\x06\x04\x01\x0a\x05\x00" // 12 bytes, types 1 and 5

static void test_where_it_may_be(void **state)
{
    (void)state;
    assert_int_equal(FIND(S5), AML_S5_FOUND);
    assert_int_equal(types[0], 1);
    assert_int_equal(types[1], 5);
    assert_int_equal(FIND("\x08\\_S5_\x12\x04\x02\x01\x01"), AML_S5_FOUND);
    assert_int_equal(FIND("\xa0\x0e\x01" S5), AML_S5_FOUND);         // If (One)
    assert_int_equal(FIND("\xa0\x02\x01\xa1\x0d" S5), AML_S5_FOUND); // Else
    assert_int_equal(FIND("\x10\x0f\\\x00" S5), AML_S5_FOUND);       // Scope (\)
    // Behind names and values of every kind that have something like it in them
    assert_int_equal(FIND("\x08TEXT\x0d_S5_\x12\x00" S5), AML_S5_FOUND);
    assert_int_equal(FIND("\x08QUAD\x0e\x08_S5_\x12\x04\x02" S5), AML_S5_FOUND);
    assert_int_equal(FIND("\x08^ABCD\x0c\x08_S5" S5), AML_S5_FOUND);
    assert_int_equal(types[0], 1);
    assert_int_equal(FIND("\x08\\./_S5_" S5), AML_S5_FOUND);
    assert_int_equal(FIND("\x5b\x01MUTX\x00\x5b\x02" S5), AML_S5_FOUND);
}

// What belongs to another object is not \_S5.
static void test_where_it_is_not(void **state)
{
    (void)state;
    assert_int_equal(FIND("\x10\x11_SB_" S5), AML_S5_ABSENT);      // Scope (_SB)
    assert_int_equal(FIND("\x10\x12\\_SB_" S5), AML_S5_ABSENT);    // Scope (\_SB)
    assert_int_equal(FIND("\x10\x16.ABCDEFGH" S5), AML_S5_ABSENT); // Scope (ABCD.EFGH)
    assert_int_equal(FIND("\x10\x17/\x02"
                          "ABCDEFGH" S5),
                     AML_S5_ABSENT);
    assert_int_equal(FIND("\x10\x0f^\x00" S5), AML_S5_ABSENT);        // Scope (^)
    assert_int_equal(FIND("\x5b\x82\x11_SB_" S5), AML_S5_ABSENT);     // Device
    assert_int_equal(FIND("\x14\x12MTHD\x00" S5), AML_S5_ABSENT);     // Method
    assert_int_equal(FIND("\x08LIST\x12\x0e\x01" S5), AML_S5_ABSENT); // Package
    assert_int_equal(FIND("\x08"
                          "BYTE\x11\x0e\x0a" S5),
                     AML_S5_ABSENT); // Buffer
    assert_int_equal(FIND("\x08./_S5_\x12\x04\x02\x01\x01"), AML_S5_ABSENT);
    assert_int_equal(FIND("\x08^_S5_\x12\x04\x02\x01\x01"), AML_S5_ABSENT);
    assert_int_equal(FIND(""), AML_S5_ABSENT);
}

static void test_what_is_wrong(void **state)
{
    (void)state;
    assert_int_equal(FIND("\x08_S5_"), AML_S5_WRONG);
    assert_int_equal(FIND("\x08_S5_\x0a\x05"), AML_S5_WRONG);
    assert_int_equal(FIND("\x08_S5_\x12\x06\x04\x0a\x08\x00\x00"), AML_S5_WRONG);
    assert_int_equal(FIND("\x08_S5_\x12\x3f\x04\x00\x00\x00"), AML_S5_WRONG);
    // A second one that is right counts.
    assert_int_equal(FIND("\x08_S5_\x0a\x05" S5), AML_S5_FOUND);
    // A package that claims to be longer than all there is, is stepped into.
    assert_int_equal(FIND("\x5b\x82\x4f\xff" S5), AML_S5_FOUND);
    assert_int_equal(FIND("\x10\x3f_SB_" S5), AML_S5_FOUND);
}

static void test_random_bytes(void **state)
{
    struct stream random = {.random = 7};
    unsigned seen[3] = {0};

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t bytes[sizeof(qemu_pc)];
        memcpy(bytes, qemu_pc, sizeof(bytes));
        for (uint64_t n = stream_below(&random, 8); n > 0; n--)
            bytes[stream_below(&random, sizeof(bytes))] = (uint8_t)stream_random(&random);
        enum aml_s5 found =
            find(bytes, stream_below(&random, 4) ? sizeof(bytes) : stream_below(&random, 100) + 50);
        seen[found]++;
        if (found == AML_S5_FOUND)
            assert_true(types[0] <= 7 && types[1] <= 7);
    }
    assert_true(seen[AML_S5_FOUND] > 1000 && seen[AML_S5_ABSENT] > 1000 && seen[AML_S5_WRONG] > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_qemu),
        cmocka_unit_test(test_where_it_may_be),
        cmocka_unit_test(test_where_it_is_not),
        cmocka_unit_test(test_what_is_wrong),
        cmocka_unit_test(test_random_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
