#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/acpi.h"
#include "lib/text.h"
#include "tests/unit/stream.h"

// --- Memory: a few pieces, and nothing between them

#define PIECES_MAX 16

struct piece {
    uint64_t address;
    size_t length;
    uint8_t *bytes;
};

struct memory {
    struct piece pieces[PIECES_MAX];
    size_t piece_count;
    void **views;
    size_t view_count;
};

static uint8_t *memory_add(struct memory *memory, uint64_t address, size_t length)
{
    struct piece *piece = &memory->pieces[memory->piece_count++];

    assert_in_range(memory->piece_count, 1, PIECES_MAX);
    piece->address = address;
    piece->length = length;
    piece->bytes = calloc(1, length);
    assert_non_null(piece->bytes);
    return piece->bytes;
}

static const uint8_t *memory_at(const struct memory *memory, uint64_t address, uint64_t length)
{
    for (size_t i = 0; i < memory->piece_count; i++) {
        const struct piece *piece = &memory->pieces[i];
        if (address >= piece->address && address - piece->address <= piece->length &&
            length <= piece->length - (address - piece->address))
            return piece->bytes + (address - piece->address);
    }
    return NULL;
}

// Every view is a copy of its own, so that the sanitizer sees a read beyond what was asked for.
static const void *view(void *context, uint64_t address, uint64_t length)
{
    struct memory *memory = context;
    const uint8_t *bytes = memory_at(memory, address, length);

    assert_true(address && length <= UINT64_MAX - address); // what no view need be ready for
    if (!bytes)
        return NULL;
    void *copy = malloc(length);
    assert_non_null(copy);
    memcpy(copy, bytes, length);
    memory->views = realloc(memory->views, (memory->view_count + 1) * sizeof(void *));
    assert_non_null(memory->views);
    memory->views[memory->view_count++] = copy;
    return copy;
}

static struct acpi_tables parse(struct memory *memory, uint64_t rsdp)
{
    struct acpi_tables tables;

    memset(&tables, 0xff, sizeof(tables));
    acpi_parse(&tables, &(struct phys){view, memory}, rsdp);
    for (size_t i = 0; i < memory->view_count; i++)
        free(memory->views[i]);
    free(memory->views);
    memory->views = NULL;
    memory->view_count = 0;
    return tables;
}

static void memory_free(struct memory *memory)
{
    for (size_t i = 0; i < memory->piece_count; i++)
        free(memory->pieces[i].bytes);
    memory->piece_count = 0;
}

// --- A machine with true tables. Offsets: ACPI 6.5, chapter 5.

#define RSDP 0xf5a40u
#define XSDT 0x7fe0000u
#define RSDT 0x7fe1000u
#define FADT 0x7fe2000u
#define DSDT 0x7fe3000u
#define HPET 0x7fe4000u
#define MADT 0x7fe5000u
#define SSDT 0x7fe6000u

struct machine {
    struct memory memory;
    uint8_t *rsdp, *xsdt, *rsdt, *fadt, *dsdt, *hpet, *madt, *ssdt;
};

static void put(uint8_t *at, uint64_t value, size_t size)
{
    memcpy(at, &value, size); // the host is little-endian as well
}

static void seal(uint8_t *bytes, size_t length, size_t checksum)
{
    uint8_t sum = 0;

    bytes[checksum] = 0;
    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + bytes[i]);
    bytes[checksum] = (uint8_t)-sum;
}

// Puts the checksum of a table right, over the length that it states.
static void seal_table(uint8_t *table)
{
    uint32_t length;

    memcpy(&length, table + 4, sizeof(length));
    seal(table, length, 9);
}

static void seal_rsdp(uint8_t *rsdp)
{
    seal(rsdp, 20, 8);
    if (rsdp[15] >= 2)
        seal(rsdp, 36, 32);
}

static uint8_t *table(struct machine *machine, uint64_t address, const char *signature,
                      size_t length)
{
    uint8_t *bytes = memory_add(&machine->memory, address, length);

    memcpy(bytes, signature, 4);
    put(bytes + 4, length, 4);
    memcpy(bytes + 10, "MAKER TABLE", 11);
    return bytes;
}

static void put_gas(uint8_t *at, uint8_t space, uint64_t address)
{
    at[0] = space;
    at[1] = 32;
    put(at + 4, address, 8);
}

static void build_fadt(struct machine *machine)
{
    uint8_t *fadt = machine->fadt = table(machine, FADT, "FACP", 244);

    put(fadt + 40, DSDT, 4);
    put(fadt + 64, 0x604, 4); // PM1a_CNT_BLK
    put(fadt + 68, 0x704, 4); // PM1b_CNT_BLK
    put(fadt + 76, 0x608, 4); // PM_TMR_BLK
    fadt[89] = 2;
    fadt[91] = 4;
    put(fadt + 112, 1u << 10, 4); // RESET_REG_SUP
    put_gas(fadt + 116, 1, 0xcf9);
    fadt[128] = 0x0f;
    seal_table(fadt);
}

// Name (\_S3, Package () {1, 1, 0, 0}), to be told from \_S5, and Name (_S5, Package () {5, 7, 0,
// 0}).
static const uint8_t sleep_states[] = {
    0x08, '_', 'S', '3', '_', 0x12, 0x08, 0x04, 0x0a, 0x01, 0x0a, 0x01, 0x00, 0x00,
    0x08, '_', 'S', '5', '_', 0x12, 0x08, 0x04, 0x0a, 0x05, 0x0a, 0x07, 0x00, 0x00,
};

static void build_madt(struct machine *machine)
{
    static const uint8_t entries[] = {
        0, 8,  0, 0, 1, 0, 0,    0,                            // local APIC, enabled
        0, 8,  1, 1, 0, 0, 0,    0,                            // disabled
        0, 8,  2, 2, 2, 0, 0,    0,                            // online-capable
        1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0,             // I/O APIC
        9, 16, 0, 0, 0, 1, 0,    0,    1, 0, 0, 0, 3, 0, 0, 0, // local x2APIC, enabled
        9, 16, 0, 0, 1, 1, 0,    0,    0, 0, 0, 0, 4, 0, 0, 0, // disabled
    };

    machine->madt = table(machine, MADT, "APIC", 44 + sizeof(entries));
    put(machine->madt + 36, 0xfee00000, 4);
    memcpy(machine->madt + 44, entries, sizeof(entries));
    seal_table(machine->madt);
}

static const uint32_t listed[] = {FADT, SSDT, HPET, MADT};

static void build_roots(struct machine *machine)
{
    machine->xsdt = table(machine, XSDT, "XSDT", 36 + 8 * ARRAY_SIZE(listed));
    machine->rsdt = table(machine, RSDT, "RSDT", 36 + 4 * ARRAY_SIZE(listed));
    for (size_t i = 0; i < ARRAY_SIZE(listed); i++) {
        put(machine->xsdt + 36 + 8 * i, listed[i], 8);
        put(machine->rsdt + 36 + 4 * i, listed[i], 4);
    }
    seal_table(machine->xsdt);
    seal_table(machine->rsdt);
}

static void build_rsdp(struct machine *machine)
{
    uint8_t *rsdp = machine->rsdp = memory_add(&machine->memory, RSDP, 36);

    memcpy(rsdp, "RSD PTR ", 8);
    memcpy(rsdp + 9, "MAKER ", 6);
    rsdp[15] = 2;
    put(rsdp + 16, RSDT, 4);
    put(rsdp + 20, 36, 4);
    put(rsdp + 24, XSDT, 8);
    seal_rsdp(rsdp);
}

static void build(struct machine *machine)
{
    memset(machine, 0, sizeof(*machine));
    build_rsdp(machine);
    build_roots(machine);
    build_fadt(machine);
    build_madt(machine);
    machine->dsdt = table(machine, DSDT, "DSDT", 36 + sizeof(sleep_states));
    memcpy(machine->dsdt + 36, sleep_states, sizeof(sleep_states));
    seal_table(machine->dsdt);
    machine->hpet = table(machine, HPET, "HPET", 56);
    put_gas(machine->hpet + 40, 0, 0xfed00000);
    seal_table(machine->hpet);
    machine->ssdt = table(machine, SSDT, "SSDT", 100);
    seal_table(machine->ssdt);
}

// Parses the machine, and takes it away.
static struct acpi_tables finish(struct machine *machine)
{
    struct acpi_tables tables = parse(&machine->memory, RSDP);

    memory_free(&machine->memory);
    return tables;
}

static bool has_table(const struct acpi_tables *tables, const char *signature)
{
    for (size_t i = 0; i < tables->table_count; i++)
        if (strcmp(tables->tables[i].signature, signature) == 0)
            return true;
    return false;
}

static void assert_whole(const struct acpi_tables *tables)
{
    assert_true(tables->found);
    assert_int_equal(tables->rsdp, RSDP);
    assert_string_equal(tables->oem_id, "MAKER ");
    assert_int_equal(tables->table_count, 4);
    assert_string_equal(tables->tables[0].signature, "FACP");
    assert_int_equal(tables->tables[0].address, FADT);
    assert_int_equal(tables->tables[0].length, 244);
    assert_string_equal(tables->tables[1].signature, "SSDT");
    assert_string_equal(tables->tables[2].signature, "HPET");
    assert_string_equal(tables->tables[3].signature, "APIC");
    assert_true(tables->has_fadt);
    assert_int_equal(tables->pm_timer_port, 0x608);
    assert_int_equal(tables->pm_timer_bits, 24);
    assert_int_equal(tables->pm1a_control_port, 0x604);
    assert_int_equal(tables->pm1b_control_port, 0x704);
    assert_false(tables->reset.is_memory);
    assert_int_equal(tables->reset.address, 0xcf9);
    assert_int_equal(tables->reset_value, 0x0f);
    assert_true(tables->has_s5);
    assert_int_equal(tables->s5_type_a, 5);
    assert_int_equal(tables->s5_type_b, 7);
    assert_true(tables->has_hpet);
    assert_int_equal(tables->hpet_address, 0xfed00000);
    assert_true(tables->has_madt);
    assert_int_equal(tables->cpus, 3);
}

static void assert_problem(const struct acpi_tables *tables, const char *problem)
{
    assert_int_equal(tables->problem_count, 1);
    assert_string_equal(tables->problems[0], problem);
}

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

// --- The FADT

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

// --- \_S5

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

// --- HPET and MADT

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
        cmocka_unit_test(test_the_pm_timer),
        cmocka_unit_test(test_reduced_hardware),
        cmocka_unit_test(test_the_pm1_control_blocks),
        cmocka_unit_test(test_the_reset_register),
        cmocka_unit_test(test_a_fadt_ends_where_it_says),
        cmocka_unit_test(test_where_the_dsdt_is),
        cmocka_unit_test(test_sleep_types),
        cmocka_unit_test(test_no_sleep_types),
        cmocka_unit_test(test_long_packages),
        cmocka_unit_test(test_sleep_types_in_an_ssdt),
        cmocka_unit_test(test_a_long_fadt),
        cmocka_unit_test(test_the_waet),
        cmocka_unit_test(test_a_large_dsdt),
        cmocka_unit_test(test_the_hpet_table),
        cmocka_unit_test(test_madt_entries_that_lie),
        cmocka_unit_test(test_madt_apic_ids),
        cmocka_unit_test(test_madt_with_more_than_is_kept),
        cmocka_unit_test(test_random_mutations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
