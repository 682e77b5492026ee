// lib/acpi.c: the RSDP, the root, what is done with tables; and tables with anything at all in
// them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/acpi_machine.h"
#include "tests/unit/stream.h"

// --- The RSDP

static void test_a_true_machine(void **state)
{
    (void)state;
    struct machine machine;
    struct acpi_tables tables;

    build(&machine);
    tables = finish(&machine);
    assert_whole(&tables);
    assert_int_equal(tables.problem_count, 0);

    // ACPI 1.0: the RSDT is all there is.
    build(&machine);
    memset(machine.rsdp + 15, 0, 21);
    put(machine.rsdp + 16, RSDT, 4);
    seal_rsdp(machine.rsdp);
    machine.xsdt[0] = '?';
    tables = finish(&machine);
    assert_whole(&tables);
    assert_int_equal(tables.problem_count, 0);
}

static void test_the_xsdt_is_preferred(void **state)
{
    (void)state;
    struct machine machine;
    struct acpi_tables tables;

    build(&machine);
    put(machine.rsdt + 4, 36, 4); // lists nothing
    seal_table(machine.rsdt);
    tables = finish(&machine);
    assert_whole(&tables);
    assert_int_equal(tables.problem_count, 0);
}

static void test_there_is_nothing(void **state)
{
    (void)state;
    struct memory nothing = {.piece_count = 0}, memory = {.piece_count = 0};
    struct acpi_tables tables = parse(&nothing, 0);
    struct acpi_tables zeros;

    memset(&zeros, 0, sizeof(zeros));
    assert_memory_equal(&tables, &zeros, sizeof(tables));
    // Memory, but no RSDP in it.
    memory_add(&memory, 0x400, 0x100);
    memory_add(&memory, 0x80000, 0x20000);
    memory_add(&memory, 0xe0000, 0x20000);
    tables = parse(&memory, 0);
    assert_memory_equal(&tables, &zeros, sizeof(tables));
    memory_free(&memory);
    // Told of one that is not there.
    tables = parse(&nothing, RSDP);
    assert_false(tables.found);
    assert_problem(&tables, "RSDP: there is none at 0xf5a40, where the loader says it is");
}

static void test_the_search(void **state)
{
    (void)state;
    static const struct {
        uint32_t place;
        uint16_t segment; // of the EBDA
        bool found;
    } cases[] = {
        {0xe0000, 0, true},       // at the start of the ROM
        {0xfffe0, 0, true},       // near its end
        {0xe0008, 0, false},      // not on a boundary of 16
        {0x9fc00, 0x9fc0, true},  // at the start of the EBDA
        {0x9ffe0, 0x9fc0, true},  // near its end
        {0x9fc04, 0x9fc0, false}, // not on a boundary of 16
        {0x9fc00, 0x9f80, false}, // beyond the first KiB
        {0x9fc20, 0x9fc1, false}, // an EBDA that reaches into video memory is a lie
        {0xa0000, 0xa000, false}, // and so is one there
        {0xe0010, 0xffff, true},  // the ROM is searched nevertheless
        {0xe0010, 0x0001, true},  // no memory there
        {0x9fc00, 0, false},      // no EBDA
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct memory memory = {.piece_count = 0};
        uint8_t *bios_data = memory_add(&memory, 0x400, 0x100);
        uint8_t *low = memory_add(&memory, 0x80000, 0x20000 + 0x20000);
        uint8_t *rom = memory_add(&memory, 0xe0000, 0x20000);
        uint8_t *rsdp = cases[i].place >= 0xe0000 ? rom + (cases[i].place - 0xe0000)
                                                  : low + (cases[i].place - 0x80000);
        put(bios_data + 0xe, cases[i].segment, 2);
        memcpy(rsdp, "RSD PTR \0MAKER ", 15);
        seal(rsdp, 20, 8);
        struct acpi_tables tables = parse(&memory, 0);
        assert_int_equal(tables.found, cases[i].found);
        assert_int_equal(tables.rsdp, cases[i].found ? cases[i].place : 0);
        assert_int_equal(tables.problem_count, cases[i].found); // it names no table
        memory_free(&memory);
    }
}

static void test_the_search_in_memory_with_holes(void **state)
{
    (void)state;
    struct machine machine;

    build(&machine); // the RSDP alone is there, not the rest of the ROM
    struct acpi_tables tables = parse(&machine.memory, 0);
    assert_whole(&tables);
    assert_int_equal(tables.problem_count, 0);
    memory_free(&machine.memory);
}

static void test_a_damaged_rsdp_is_passed_over(void **state)
{
    (void)state;
    struct machine machine;
    struct acpi_tables tables;

    build(&machine);
    memcpy(memory_add(&machine.memory, 0xe0000, 36), machine.rsdp, 36);
    machine.memory.pieces[machine.memory.piece_count - 1].bytes[8]++;
    tables = parse(&machine.memory, 0);
    assert_whole(&tables);
    assert_int_equal(tables.problem_count, 0);

    machine.rsdp[8]++;
    tables = parse(&machine.memory, 0);
    assert_false(tables.found);
    assert_problem(&tables, "RSDP: the only one, at 0xf5a40, has a wrong checksum");

    tables = finish(&machine);
    assert_false(tables.found);
    assert_problem(&tables, "RSDP: there is none at 0xf5a40, where the loader says it is");
}

static void test_an_rsdp_that_lies(void **state)
{
    (void)state;
    struct machine machine;
    struct acpi_tables tables;

    // What is new in ACPI 2.0 is wrong: the old RSDT still counts.
    build(&machine);
    machine.rsdp[32]++;
    tables = finish(&machine);
    assert_whole(&tables);
    assert_problem(&tables, "RSDP: its extended checksum is wrong");

    static const uint32_t lengths[] = {0, 20, 35, 4097, UINT32_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        char problem[64];
        build(&machine);
        put(machine.rsdp + 20, lengths[i], 4);
        seal_rsdp(machine.rsdp);
        tables = finish(&machine);
        assert_whole(&tables);
        text_print(problem, sizeof(problem), "RSDP: its length is %u, not 36 to 4096", lengths[i]);
        assert_problem(&tables, problem);
    }
    build(&machine);
    put(machine.rsdp + 20, 37, 4); // a byte more than there is memory
    seal_rsdp(machine.rsdp);
    tables = finish(&machine);
    assert_whole(&tables);
    assert_problem(&tables, "RSDP: its extended checksum is wrong");

    build(&machine);
    put(machine.rsdp + 16, 0, 4);
    put(machine.rsdp + 24, 0, 8);
    seal_rsdp(machine.rsdp);
    tables = finish(&machine);
    assert_true(tables.found);
    assert_int_equal(tables.table_count, 0);
    assert_problem(&tables, "RSDP: it names no table");
}

// --- The root

static void test_a_bad_xsdt_falls_back_to_the_rsdt(void **state)
{
    (void)state;
    static const struct {
        uint64_t address;
        uint32_t length;
        bool bad_sum, bad_name;
        const char *problem;
    } cases[] = {
        {XSDT, 0, true, false, "XSDT: its length is 0, not 36 to 65536"},
        {XSDT, 35, true, false, "XSDT: its length is 35, not 36 to 65536"},
        {XSDT, 65537, true, false, "XSDT: its length is 65537, not 36 to 65536"},
        {XSDT, UINT32_MAX, true, false, "XSDT: its length is 4294967295, not 36 to 65536"},
        {XSDT, 69, true, false, "XSDT: it reaches beyond readable memory"},
        {XSDT, 68, true, false, "XSDT: its checksum is wrong"},
        {XSDT, 68, false, true, "XSDT: at 0x7fe0000 is \"?SDT\""},
        {0x5000, 68, false, false, "XSDT: 0x5000 cannot be read"},
        {UINT64_MAX, 68, false, false, "XSDT: 0xffffffffffffffff cannot be read"},
        {UINT64_MAX - 35, 68, false, false, "XSDT: 0xffffffffffffffdc cannot be read"},
        {XSDT + 40, 68, false, false, "XSDT: 0x7fe0028 cannot be read"},
    };
    struct machine machine;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        build(&machine);
        put(machine.rsdp + 24, cases[i].address, 8);
        seal_rsdp(machine.rsdp);
        put(machine.xsdt + 4, cases[i].length, 4);
        machine.xsdt[0] = cases[i].bad_name ? 0x9b : 'X';
        machine.xsdt[9] = (uint8_t)(machine.xsdt[9] + cases[i].bad_sum);
        struct acpi_tables tables = finish(&machine);
        assert_whole(&tables);
        assert_problem(&tables, cases[i].problem);
    }
}

static void test_both_roots_bad(void **state)
{
    (void)state;
    struct machine machine;

    build(&machine);
    machine.xsdt[9]++;
    machine.rsdt[9]++;
    struct acpi_tables tables = finish(&machine);
    assert_true(tables.found);
    assert_int_equal(tables.table_count, 0);
    assert_int_equal(tables.problem_count, 2);
    assert_string_equal(tables.problems[0], "XSDT: its checksum is wrong");
    assert_string_equal(tables.problems[1], "RSDT: its checksum is wrong");
}

static void test_entries_that_lie(void **state)
{
    (void)state;
    static const struct {
        uint64_t entry;
        const char *problem;
    } cases[] = {
        {0, "XSDT: it lists a table at 0x0, which cannot be read"},
        {0x1000, "XSDT: it lists a table at 0x1000, which cannot be read"},
        {UINT64_MAX, "XSDT: it lists a table at 0xffffffffffffffff, which cannot be read"},
        {UINT64_MAX - 35, "XSDT: it lists a table at 0xffffffffffffffdc, which cannot be read"},
        {SSDT + 65, "XSDT: it lists a table at 0x7fe6041, which cannot be read"},
        {XSDT, "XSDT: it lists \"XSDT\" at 0x7fe0000 with a length of 68"},
        {RSDT, "XSDT: it lists \"RSDT\" at 0x7fe1000 with a length of 52"},
        {FADT, "XSDT: it lists a second FACP, which is not used"},
        {SSDT + 64, "XSDT: it lists \"????\" at 0x7fe6040 with a length of 0"},
    };
    struct machine machine;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        build(&machine);
        put(machine.xsdt + 36 + 8, cases[i].entry, 8); // in the place of the SSDT
        seal_table(machine.xsdt);
        struct acpi_tables tables = finish(&machine);
        assert_problem(&tables, cases[i].problem);
        assert_int_equal(tables.table_count, 3);
        assert_true(tables.has_fadt && tables.has_hpet && tables.has_madt);
        assert_int_equal(tables.cpus, 3);
    }
}

static void test_a_root_of_any_length(void **state)
{
    (void)state;
    struct machine machine;

    for (uint32_t length = 36; length <= 68; length++) {
        build(&machine);
        put(machine.xsdt + 4, length, 4);
        seal_table(machine.xsdt);
        struct acpi_tables tables = finish(&machine);
        assert_int_equal(tables.table_count, (length - 36) / 8); // a part of an entry is none
        assert_int_equal(tables.problem_count, 0);
    }
}

static void test_more_tables_than_fit(void **state)
{
    (void)state;
    struct machine machine;
    uint8_t *root;

    build(&machine);
    root = table(&machine, 0x100000, "XSDT", 36 + 8 * 34);
    for (size_t i = 0; i < 34; i++)
        put(root + 36 + 8 * i, i < 31 ? SSDT : i == 31 ? HPET : FADT, 8);
    seal_table(root);
    put(machine.rsdp + 24, 0x100000, 8);
    seal_rsdp(machine.rsdp);
    struct acpi_tables tables = finish(&machine);
    assert_int_equal(tables.table_count, ACPI_TABLES_MAX);
    assert_true(tables.has_hpet);
    assert_false(tables.has_fadt);
    assert_problem(&tables, "XSDT: of its 34 tables the first 32 are looked at");
}

static void test_more_problems_than_fit_are_counted(void **state)
{
    (void)state;
    struct machine machine;
    uint8_t *root;

    build(&machine);
    root = table(&machine, 0x100000, "XSDT", 36 + 8 * 12);
    seal_table(root);
    put(machine.rsdp + 24, 0x100000, 8);
    seal_rsdp(machine.rsdp);
    struct acpi_tables tables = finish(&machine);
    assert_int_equal(tables.problem_count, 12);
    assert_string_equal(tables.problems[ACPI_PROBLEMS_MAX - 1],
                        "XSDT: it lists a table at 0x0, which cannot be read");
    assert_int_equal(tables.table_count, 0);
    assert_false(tables.has_fadt);
}

// --- Tables that are used

static void test_unsound_tables_are_not_used(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t length_min, length; // as built
        size_t machine_offset;
    } cases[] = {
        {"FACP", 116, 244, offsetof(struct machine, fadt)},
        {"HPET", 56, 56, offsetof(struct machine, hpet)},
        {"APIC", 44, 112, offsetof(struct machine, madt)},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const uint32_t lengths[] = {36, cases[i].length_min - 1, 65537, 1 << 20};
        struct machine machine = {.fadt = NULL};
        char problem[96];
        struct acpi_tables tables;
        uint8_t **bytes = (uint8_t **)((char *)&machine + cases[i].machine_offset);

        for (size_t j = 0; j < ARRAY_SIZE(lengths); j++) {
            build(&machine);
            put(*bytes + 4, lengths[j], 4);
            if (lengths[j] < cases[i].length)
                seal_table(*bytes);
            tables = finish(&machine);
            text_print(problem, sizeof(problem), "%s: its length is %u, not %u to 65536",
                       cases[i].name, lengths[j], cases[i].length_min);
            assert_problem(&tables, problem);
            assert_false(has_table(&tables, cases[i].name));
            assert_int_equal(tables.has_fadt + tables.has_hpet + tables.has_madt, 2);
        }
        build(&machine);
        (*bytes)[10]++;
        tables = finish(&machine);
        text_print(problem, sizeof(problem), "%s: its checksum is wrong", cases[i].name);
        assert_problem(&tables, problem);
        assert_int_equal(tables.has_fadt + tables.has_hpet + tables.has_madt, 2);

        build(&machine);
        put(*bytes + 4, cases[i].length + 1, 4);
        tables = finish(&machine);
        text_print(problem, sizeof(problem), "%s: it reaches beyond readable memory",
                   cases[i].name);
        assert_problem(&tables, problem);
        assert_int_equal(tables.has_fadt + tables.has_hpet + tables.has_madt, 2);
    }
}

static void test_a_good_second_table_replaces_a_bad_one(void **state)
{
    (void)state;
    struct machine machine;
    uint8_t *copy;

    build(&machine);
    copy = memory_add(&machine.memory, 0x200000, 244);
    memcpy(copy, machine.fadt, 244);
    machine.fadt[9]++;
    put(machine.xsdt + 36 + 8, 0x200000, 8);
    seal_table(machine.xsdt);
    struct acpi_tables tables = finish(&machine);
    assert_problem(&tables, "FACP: its checksum is wrong");
    assert_int_equal(tables.pm_timer_port, 0x608);
    assert_int_equal(tables.tables[0].address, 0x200000);
}

// --- Anything at all

// One of the values that parsers fail on, or any.
static uint64_t nasty(struct stream *source)
{
    static const uint64_t values[] = {0,          1,          2,         8,    20,   35,
                                      36,         37,         0x7f,      0x80, 0xff, 0xffff,
                                      0x10000,    0x10001,    XSDT,      RSDT, DSDT, 0x7fffffff,
                                      0x80000000, 0xffffffff, UINT64_MAX};
    uint64_t pick = stream_below(source, 2 * ARRAY_SIZE(values));

    return pick < ARRAY_SIZE(values) ? values[pick] : stream_random(source);
}

// Overwrites a few bytes of one piece and, mostly, puts its checksum right where the length that it
// states now allows.
static void mutate(struct machine *machine, struct stream *source)
{
    const struct piece *piece =
        &machine->memory.pieces[stream_below(source, machine->memory.piece_count)];
    size_t size = (size_t)1 << stream_below(source, 4);
    size_t offset = stream_below(source, piece->length - size + 1);
    uint64_t value = nasty(source);
    uint32_t length;

    memcpy(piece->bytes + offset, &value, size);
    if (stream_below(source, 8) == 0)
        return;
    memcpy(&length, piece->bytes + 4, sizeof(length));
    if (piece->bytes == machine->rsdp)
        seal_rsdp(piece->bytes);
    else if (length >= 36 && length <= piece->length)
        seal(piece->bytes, length, 9);
}

static void assert_in_bounds(const struct acpi_tables *tables)
{
    assert_in_range(tables->table_count, 0, ACPI_TABLES_MAX);
    for (size_t i = 0; i < tables->table_count; i++) {
        assert_int_equal(strlen(tables->tables[i].signature), 4);
        assert_true(tables->tables[i].length >= 36);
    }
    for (size_t i = 0; i < tables->problem_count && i < ACPI_PROBLEMS_MAX; i++) {
        assert_int_not_equal(tables->problems[i][0], '\0');
        for (const char *at = tables->problems[i]; *at; at++)
            assert_in_range(*at, ' ', '~');
        assert_true(strlen(tables->problems[i]) < sizeof(tables->problems[i]) - 1); // not cut
    }
    assert_true(tables->pm_timer_bits == 24 || tables->pm_timer_bits == 32 ||
                tables->pm_timer_port == 0);
    assert_true(!tables->has_s5 || (tables->s5_type_a <= 7 && tables->s5_type_b <= 7));
    assert_true(!tables->has_hpet || tables->hpet_address);
    assert_true(tables->found || tables->table_count == 0);
    assert_true(tables->has_fadt || (!tables->pm_timer_port && !tables->reset.address));
    assert_true(tables->has_madt || tables->cpus == 0);
}

static void test_random_mutations(void **state)
{
    (void)state;
    struct stream source = {.random = 1};
    size_t found = 0, complete = 0, complaining = 0;

    for (int i = 0; i < 20000; i++) {
        struct machine machine;
        build(&machine);
        for (uint64_t count = stream_between(&source, 1, 6); count > 0; count--)
            mutate(&machine, &source);
        struct acpi_tables tables = finish(&machine);
        assert_in_bounds(&tables);
        found += tables.found;
        complete += tables.has_fadt && tables.has_hpet && tables.has_madt && tables.has_s5;
        complaining += tables.problem_count > 0;
    }
    // Deep enough to reach everything, and not harmless.
    assert_in_range(found, 10000, 19900);
    assert_in_range(complete, 2000, 18000);
    assert_in_range(complaining, 2000, 18000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_true_machine),
        cmocka_unit_test(test_the_xsdt_is_preferred),
        cmocka_unit_test(test_there_is_nothing),
        cmocka_unit_test(test_the_search),
        cmocka_unit_test(test_the_search_in_memory_with_holes),
        cmocka_unit_test(test_a_damaged_rsdp_is_passed_over),
        cmocka_unit_test(test_an_rsdp_that_lies),
        cmocka_unit_test(test_a_bad_xsdt_falls_back_to_the_rsdt),
        cmocka_unit_test(test_both_roots_bad),
        cmocka_unit_test(test_entries_that_lie),
        cmocka_unit_test(test_a_root_of_any_length),
        cmocka_unit_test(test_more_tables_than_fit),
        cmocka_unit_test(test_more_problems_than_fit_are_counted),
        cmocka_unit_test(test_unsound_tables_are_not_used),
        cmocka_unit_test(test_a_good_second_table_replaces_a_bad_one),
        cmocka_unit_test(test_random_mutations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
