// A machine with true ACPI tables in a few pieces of memory, for tests to damage and to parse.
// Include it behind cmocka.h.
#pragma once

#include "lib/acpi.h"
#include "lib/text.h"

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

static inline uint8_t *memory_add(struct memory *memory, uint64_t address, size_t length)
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

static inline struct acpi_tables parse(struct memory *memory, uint64_t rsdp)
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

static inline void memory_free(struct memory *memory)
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

static inline void put(uint8_t *at, uint64_t value, size_t size)
{
    memcpy(at, &value, size); // the host is little-endian as well
}

static inline void seal(uint8_t *bytes, size_t length, size_t checksum)
{
    uint8_t sum = 0;

    bytes[checksum] = 0;
    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + bytes[i]);
    bytes[checksum] = (uint8_t)-sum;
}

// Puts the checksum of a table right, over the length that it states.
static inline void seal_table(uint8_t *table)
{
    uint32_t length;

    memcpy(&length, table + 4, sizeof(length));
    seal(table, length, 9);
}

static inline void seal_rsdp(uint8_t *rsdp)
{
    seal(rsdp, 20, 8);
    if (rsdp[15] >= 2)
        seal(rsdp, 36, 32);
}

static inline uint8_t *table(struct machine *machine, uint64_t address, const char *signature,
                             size_t length)
{
    uint8_t *bytes = memory_add(&machine->memory, address, length);

    memcpy(bytes, signature, 4);
    put(bytes + 4, length, 4);
    memcpy(bytes + 10, "MAKER TABLE", 11);
    return bytes;
}

static inline void put_gas(uint8_t *at, uint8_t space, uint64_t address)
{
    at[0] = space;
    at[1] = 32;
    put(at + 4, address, 8);
}

static inline void build_fadt(struct machine *machine)
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

static inline void build_madt(struct machine *machine)
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

static inline void build_roots(struct machine *machine)
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

static inline void build_rsdp(struct machine *machine)
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

static inline void build(struct machine *machine)
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
static inline struct acpi_tables finish(struct machine *machine)
{
    struct acpi_tables tables = parse(&machine->memory, RSDP);

    memory_free(&machine->memory);
    return tables;
}

static inline bool has_table(const struct acpi_tables *tables, const char *signature)
{
    for (size_t i = 0; i < tables->table_count; i++)
        if (strcmp(tables->tables[i].signature, signature) == 0)
            return true;
    return false;
}

static inline void assert_whole(const struct acpi_tables *tables)
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

static inline void assert_problem(const struct acpi_tables *tables, const char *problem)
{
    assert_int_equal(tables->problem_count, 1);
    assert_string_equal(tables->problems[0], problem);
}
