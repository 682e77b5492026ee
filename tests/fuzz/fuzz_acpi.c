// Any bytes as ACPI tables: the parser reads nothing that is not there.
//
// Signatures and checksums would keep almost every input out, so they are put right here: the input
// is a piece of memory in which four tables begin, at places that its first bytes name.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/acpi.h"

#define BASE      0xe0000u // where firmware keeps the RSDP (ACPI 6.5, 5.2.5.1)
#define RSDT      64u
#define TABLES    4u
#define HEADER    36u // of a table: ACPI 6.5, 5.2.6
#define CHECKSUM  9u
#define FADT_DSDT 40u // ACPI 6.5, table 5.9
#define CONTENT   (RSDT + HEADER + 4 * TABLES)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct memory {
    uint8_t *bytes; // exactly so many, on the heap: AddressSanitizer sees a read beyond
    size_t size;
};

static const void *view(void *context, uint64_t address, uint64_t length)
{
    const struct memory *memory = context;

    if (address < BASE || address - BASE > memory->size || length > memory->size - (address - BASE))
        return NULL;
    return memory->bytes + (address - BASE);
}

static void put32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof(value));
}

static void mend(uint8_t *bytes, size_t length, size_t checksum)
{
    uint8_t sum = 0;

    bytes[checksum] = 0;
    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + bytes[i]);
    bytes[checksum] = (uint8_t)-sum;
}

// Makes the bytes at `table` a table that passes the first checks: signature, length, checksum.
static void make_table(uint8_t *table, size_t room, const char *signature)
{
    uint32_t length;

    if (room < HEADER)
        return;
    memcpy(table, signature, 4);
    memcpy(&length, table + 4, sizeof(length));
    length = HEADER + length % (uint32_t)(room - HEADER + 1);
    put32(table + 4, length);
    mend(table, length, CHECKSUM);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const signatures[TABLES] = {"DSDT", "APIC", "HPET", "FACP"};
    struct acpi_tables tables;
    uint32_t dsdt = 0;

    if (size < 2 * TABLES || size > 4096)
        return 0;
    struct memory memory = {.bytes = calloc(1, CONTENT + size), .size = CONTENT + size};
    assert(memory.bytes);
    memcpy(memory.bytes + CONTENT, data, size);

    memcpy(memory.bytes, "RSD PTR ", 8);
    put32(memory.bytes + 16, BASE + RSDT);
    mend(memory.bytes, 20, 8);
    memcpy(memory.bytes + RSDT, "RSDT", 4);
    put32(memory.bytes + RSDT + 4, HEADER + 4 * TABLES);
    for (size_t i = 0; i < TABLES; i++) {
        size_t place = (data[2 * i] | (size_t)data[2 * i + 1] << 8) % size;
        uint32_t address = (uint32_t)(BASE + CONTENT + place);
        put32(memory.bytes + RSDT + HEADER + 4 * i, address);
        if (i == 0)
            dsdt = address;
        else if (size - place >= FADT_DSDT + 4)
            put32(memory.bytes + CONTENT + place + FADT_DSDT, dsdt);
        make_table(memory.bytes + CONTENT + place, size - place, signatures[i]);
    }
    mend(memory.bytes + RSDT, HEADER + 4 * TABLES, CHECKSUM);

    acpi_parse(&tables, &(struct phys){view, &memory}, data[0] & 1 ? BASE : 0);
    assert(tables.found && tables.rsdp == BASE);
    assert(tables.table_count <= ACPI_TABLES_MAX);
    assert(!tables.has_hpet || tables.hpet_address);
    assert(tables.apic_id_count <= tables.cpus);
    for (size_t i = 1; i < tables.apic_id_count && i < ACPI_APIC_IDS_MAX; i++)
        assert(tables.apic_ids[i] != tables.apic_ids[i - 1]);
    for (size_t i = 0; i < tables.problem_count && i < ACPI_PROBLEMS_MAX; i++)
        assert(tables.problems[i][0] &&
               memchr(tables.problems[i], '\0', sizeof(tables.problems[i])));
    free(memory.bytes);
    return 0;
}
