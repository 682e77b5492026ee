// SMBIOS tables: true ones, as QEMU and others write them, and lies.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/smbios.h"
#include "lib/text.h"
#include "tests/unit/stream.h"

// --- A machine: the BIOS segment, in which everything lies

#define SEGMENT  0xf0000u
#define ENTRY_32 0xf5a80u
#define ENTRY_64 0xf1230u
#define TABLE    0xf6000u

static uint8_t segment[0x10000];
static uint64_t holes_at; // memory from here on cannot be read, 0: all can
static size_t table_length;

static const void *view(void *context, uint64_t address, uint64_t length)
{
    static uint8_t *copy;
    uint64_t end = holes_at ? holes_at : SEGMENT + sizeof(segment);

    (void)context;
    assert_true(address && length <= UINT64_MAX - address);
    if (address < SEGMENT || address + length > end)
        return NULL;
    // A copy of exactly so many bytes, so that the sanitizer sees a read beyond. Only the table is
    // held longer than until the next view, and it is the last.
    free(copy);
    copy = malloc(length ? length : 1);
    assert_non_null(copy);
    memcpy(copy, segment + (address - SEGMENT), length);
    return address == SEGMENT ? segment : copy;
}

static struct smbios parse(uint64_t entry)
{
    static const struct phys phys = {view, NULL};
    struct smbios smbios;

    memset(&smbios, 0xff, sizeof(smbios));
    smbios_parse(&smbios, &phys, entry);
    return smbios;
}

static uint8_t *at(uint64_t address)
{
    return segment + (address - SEGMENT);
}

static void put(uint8_t *to, uint64_t value, size_t size)
{
    memcpy(to, &value, size);
}

static void seal(uint8_t *bytes, size_t length, size_t checksum)
{
    uint8_t sum = 0;

    bytes[checksum] = 0;
    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + bytes[i]);
    bytes[checksum] = (uint8_t)-sum;
}

static void put_entry_32(uint64_t table, size_t length)
{
    uint8_t *entry = at(ENTRY_32);

    memcpy(entry, "_SM_", 4);
    entry[5] = 31;
    entry[6] = 2;
    entry[7] = 8;
    memcpy(entry + 16, "_DMI_", 5);
    put(entry + 22, length, 2);
    put(entry + 24, table, 4);
    seal(entry + 16, 15, 5);
    seal(entry, 31, 4);
}

static void put_entry_64(uint64_t table, size_t length)
{
    uint8_t *entry = at(ENTRY_64);

    memcpy(entry, "_SM3_", 5);
    entry[6] = 24;
    entry[7] = 3;
    entry[8] = 1;
    put(entry + 12, length, 4);
    put(entry + 16, table, 8);
    seal(entry, 24, 5);
}

// Appends a structure with its strings, which `strings` holds one behind the other, each with its
// NUL (the literal's own included).
static uint8_t *add(uint8_t type, uint8_t length, const char *strings, size_t strings_length)
{
    uint8_t *structure = at(TABLE) + table_length;

    structure[0] = type;
    structure[1] = length;
    put(structure + 2, 0x100 + type, 2);
    if (strings_length)
        memcpy(structure + length, strings, strings_length);
    table_length += length + strings_length + 1;
    if (strings_length == 0)
        table_length++;
    return structure;
}
#define ADD(type, length, strings) add(type, length, strings, sizeof(strings))

static void start(void)
{
    memset(segment, 0, sizeof(segment));
    table_length = 0;
    holes_at = 0;
}

static void finish(void)
{
    add(127, 4, NULL, 0);
    put_entry_32(TABLE, table_length);
}

// What QEMU's pc has, shortened.
static void build_qemu(void)
{
    start();
    uint8_t *bios = ADD(0, 0x18,
                        "SeaBIOS\0"
                        "1.16.2\0"
                        "04/01/2014");
    bios[4] = 1;
    bios[5] = 2;
    bios[8] = 3;
    bios[0x13] = 0x14; // virtual machine, and targeted content distribution
    uint8_t *system = ADD(1, 0x1b,
                          "QEMU\0"
                          "Standard PC (i440FX + PIIX, 1996)\0"
                          "pc-i440fx-7.2");
    system[4] = 1;
    system[5] = 2;
    system[6] = 3;
    uint8_t *chassis = ADD(3, 0x16,
                           "QEMU\0"
                           "pc-i440fx-7.2");
    chassis[4] = 1;
    chassis[6] = 2;
    for (unsigned i = 0; i < 2; i++) {
        uint8_t *processor = ADD(4, 0x2a,
                                 "CPU 0\0"
                                 "QEMU");
        processor[4] = 1;
        processor[7] = 2;
        put(processor + 0x12, 100, 2);
        put(processor + 0x14, 2000 + i, 2);
        put(processor + 0x16, 1900 + i, 2);
    }
    uint8_t *oem = ADD(11, 5,
                       "something else\0"
                       "hypertick:window=20ms\0"
                       "hypertick\0"
                       "hypertick: exit=halt");
    oem[4] = 4;
    finish();
}

static void assert_qemu(const struct smbios *smbios)
{
    assert_true(smbios->found);
    assert_int_equal(smbios->structures, 6);
    assert_string_equal(smbios->bios_vendor, "SeaBIOS");
    assert_string_equal(smbios->bios_version, "1.16.2");
    assert_true(smbios->virtual_machine);
    assert_string_equal(smbios->manufacturer, "QEMU");
    assert_string_equal(smbios->product, "Standard PC (i440FX + PIIX, 1996)");
    assert_string_equal(smbios->version, "pc-i440fx-7.2");
    assert_string_equal(smbios->chassis_manufacturer, "QEMU");
    assert_string_equal(smbios->chassis_asset_tag, "");
    assert_string_equal(smbios->board_manufacturer, "");
    assert_int_equal(smbios->processor_count, 2);
    assert_int_equal(smbios->processors[0].external_clock_mhz, 100);
    assert_int_equal(smbios->processors[0].max_mhz, 2000);
    assert_int_equal(smbios->processors[1].max_mhz, 2001);
    assert_int_equal(smbios->processors[1].current_mhz, 1901);
    assert_int_equal(smbios->oem_strings, 4);
    assert_string_equal(smbios->options, "window=20ms  exit=halt");
    assert_int_equal(smbios->problem_count, 0);
}

static void assert_problem(const struct smbios *smbios, const char *problem)
{
    assert_int_equal(smbios->problem_count, 1);
    assert_string_equal(smbios->problems[0], problem);
}

static void test_a_true_machine(void **state)
{
    (void)state;
    build_qemu();
    struct smbios smbios = parse(0);
    assert_qemu(&smbios);
    assert_int_equal(smbios.entry, ENTRY_32);
    assert_int_equal(smbios.major * 10 + smbios.minor, 28);
    smbios = parse(ENTRY_32);
    assert_qemu(&smbios);

    // The length that version 2.1 of the specification gave by mistake.
    at(ENTRY_32)[5] = 30;
    seal(at(ENTRY_32), 31, 4);
    smbios = parse(0);
    assert_qemu(&smbios);
}

static void test_the_64_bit_entry_point(void **state)
{
    (void)state;
    build_qemu();
    put_entry_64(TABLE, 0x4000); // an upper bound
    struct smbios smbios = parse(0);
    assert_qemu(&smbios);
    assert_int_equal(smbios.entry, ENTRY_64);
    assert_int_equal(smbios.major * 10 + smbios.minor, 31);
    // Also where it is found second.
    memcpy(at(0xff000), at(ENTRY_64), 24);
    memset(at(ENTRY_64), 0, 24);
    smbios = parse(0);
    assert_qemu(&smbios);
    assert_int_equal(smbios.entry, 0xff000);
    // A damaged one is passed over.
    at(0xff000)[5]++;
    smbios = parse(0);
    assert_qemu(&smbios);
    assert_int_equal(smbios.entry, ENTRY_32);
}

static void test_there_is_nothing(void **state)
{
    (void)state;
    start();
    struct smbios smbios = parse(0);
    assert_false(smbios.found);
    assert_int_equal(smbios.problem_count, 0);
    smbios = parse(0xf8000);
    assert_false(smbios.found);
    assert_problem(&smbios, "there is no entry point at 0xf8000, where the loader says it is");
    smbios = parse(UINT64_MAX);
    assert_false(smbios.found);
    holes_at = 0xf4000;
    smbios = parse(0);
    assert_false(smbios.found);
    assert_int_equal(smbios.problem_count, 0);
}

static void test_damaged_entry_points(void **state)
{
    static const struct {
        size_t offset;
        bool reseal;
    } changes[] = {{4, false}, {5, true}, {16, true}, {21, true}, {30, false}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        build_qemu();
        at(ENTRY_32)[changes[i].offset] ^= 0x40;
        if (changes[i].reseal)
            seal(at(ENTRY_32), 31, 4);
        struct smbios smbios = parse(i % 2 ? ENTRY_32 : 0);
        assert_false(smbios.found);
        assert_problem(&smbios, "the entry point at 0xf5a80 is damaged");
        assert_string_equal(smbios.manufacturer, "");
    }
}

static void test_tables_that_lie(void **state)
{
    (void)state;
    build_qemu();
    put_entry_32(0xfff00, 0x200);
    struct smbios smbios = parse(0);
    assert_true(smbios.found);
    assert_problem(&smbios, "its table, 512 bytes at 0xfff00, cannot be read");

    build_qemu();
    put_entry_32(0, 0x200);
    smbios = parse(0);
    assert_problem(&smbios, "its table, 512 bytes at 0x0, cannot be read");

    build_qemu();
    at(TABLE)[1] = 3;
    smbios = parse(0);
    assert_problem(&smbios, "the structure at offset 0 has a length of 3");

    build_qemu();
    put_entry_32(TABLE, 0x18 + 10); // in the middle of the first structure's strings
    smbios = parse(0);
    assert_problem(&smbios, "the strings at offset 24 have no end");

    build_qemu();
    put_entry_32(TABLE, 0x10);
    smbios = parse(0);
    assert_problem(&smbios, "the structure at offset 0 has a length of 24");
}

// Wherever the table is cut off, what stands before the cut is kept.
static void test_cut_anywhere(void **state)
{
    (void)state;
    build_qemu();
    for (size_t length = 0; length < table_length; length++) {
        put_entry_32(TABLE, length);
        struct smbios smbios = parse(0);
        assert_true(smbios.found);
        assert_in_range(smbios.problem_count, 0, 1);
        if (length > 0x30)
            assert_string_equal(smbios.bios_vendor, length >= 0x18 + 27 ? "SeaBIOS" : "");
    }
}

static void test_odd_structures(void **state)
{
    (void)state;
    start();
    // Short structures of old versions, numbers of strings that are not there, strings that are not
    // printable, padded or too long.
    uint8_t *bios = ADD(0, 0x12, "only one");
    bios[4] = 2;
    bios[5] = 1;
    uint8_t *system = ADD(1, 8,
                          "\x01\xc3\xbc  \0"
                          "0123456789012345678901234567890123456789012345678901234567890123456");
    system[4] = 1;
    system[5] = 2;
    system[6] = 200;
    add(2, 4, NULL, 0);
    ADD(4, 0x16, "no speeds");
    add(200, 255, NULL, 0);
    uint8_t *second = ADD(1, 8, "a second one");
    second[4] = 1;
    uint8_t *oem = ADD(11, 5, "x");
    oem[4] = 3;
    finish();
    struct smbios smbios = parse(0);
    assert_true(smbios.found);
    assert_int_equal(smbios.structures, 7);
    assert_string_equal(smbios.bios_vendor, "");
    assert_string_equal(smbios.bios_version, "only one");
    assert_false(smbios.virtual_machine);
    assert_string_equal(smbios.manufacturer, "???");
    assert_int_equal(text_length(smbios.product), SMBIOS_STRING_MAX - 1);
    assert_string_equal(smbios.version, "");
    assert_int_equal(smbios.processor_count, 1);
    assert_int_equal(smbios.processors[0].max_mhz, 0);
    assert_string_equal(smbios.options, "");
    assert_problem(&smbios, "type 11 counts 3 OEM strings, and there are 1");
}

static void test_too_much(void **state)
{
    static char options[SMBIOS_OPTIONS_MAX + 64];

    (void)state;
    start();
    memset(options, 'x', sizeof(options) - 1);
    memcpy(options, "hypertick:", 10);
    uint8_t *oem = add(11, 5, options, sizeof(options));
    oem[4] = 1;
    finish();
    struct smbios smbios = parse(0);
    assert_int_equal(text_length(smbios.options), SMBIOS_OPTIONS_MAX - 1);
    assert_problem(&smbios, "the options in OEM strings are longer than 511 bytes and were cut");

    start();
    for (unsigned i = 0; i < 1025; i++)
        add(4, 0x17, NULL, 0);
    finish();
    smbios = parse(0);
    assert_int_equal(smbios.structures, 1024);
    assert_int_equal(smbios.processor_count, 1024);
    assert_problem(&smbios, "it has more than 1024 structures, the rest was left out");
}

static void test_random_mutations(void **state)
{
    struct stream random = {.random = 42};
    unsigned found = 0;

    (void)state;
    for (unsigned i = 0; i < 4000; i++) {
        build_qemu();
        for (uint64_t n = stream_below(&random, 12); n > 0; n--)
            at(TABLE)[stream_below(&random, table_length)] = (uint8_t)stream_random(&random);
        if (i % 4 == 0)
            put_entry_64(TABLE, stream_below(&random, 0x20000));
        struct smbios smbios = parse(0);
        found += smbios.found && smbios.problem_count == 0;
        assert_in_range(smbios.structures, 0, 1024);
        assert_non_null(memchr(smbios.options, '\0', sizeof(smbios.options)));
        assert_non_null(memchr(smbios.product, '\0', sizeof(smbios.product)));
    }
    assert_in_range(found, 100, 3900); // both kinds were seen
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_true_machine),   cmocka_unit_test(test_the_64_bit_entry_point),
        cmocka_unit_test(test_there_is_nothing), cmocka_unit_test(test_damaged_entry_points),
        cmocka_unit_test(test_tables_that_lie),  cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_odd_structures),   cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_random_mutations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
