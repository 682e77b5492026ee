// Any bytes as ACPI tables: the parser reads nothing that is not there.
//
// Signatures and checksums would keep almost every input out, so they are put right here: the input
// is a piece of memory in which tables begin, at places that its first bytes name. Its last byte
// says what leads to them.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/acpi.h"

#define BASE      0xe0000u // where firmware keeps the RSDP (ACPI 6.5, 5.2.5.1)
#define RSDT      64u
#define XSDT      (RSDT + HEADER + 4 * ENTRIES)
#define TABLES    6u
#define FACP      3u
#define ENTRIES   40u // of the RSDT and XSDT at most: more than the parser has room for
#define HEADER    36u // of a table: ACPI 6.5, 5.2.6
#define CHECKSUM  9u
#define FADT_DSDT 40u // ACPI 6.5, table 5.9
#define CONTENT   (XSDT + HEADER + 8 * ENTRIES)

// The bits of the last byte.
#define NEW_RSDP  0x01u // of ACPI 2.0, with an XSDT
#define NAMED     0x02u // the loader says where the RSDP is
#define MANY      0x04u // the tables are listed again and again
#define LONG_RSDP 0x08u // its length is not what it should be
#define NO_RSDT   0x10u

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

static void make_rsdp(uint8_t *rsdp, uint8_t flags)
{
    memcpy(rsdp, "RSD PTR ", 8);
    put32(rsdp + 16, flags & NO_RSDT ? 0 : BASE + RSDT);
    if (flags & NEW_RSDP) { // ACPI 6.5, 5.2.5.3
        rsdp[15] = 2;
        put32(rsdp + 20, flags & LONG_RSDP ? flags * 33u : 36);
        put32(rsdp + 24, BASE + XSDT);
    }
    mend(rsdp, 20, 8);
    if (flags & NEW_RSDP)
        mend(rsdp, 36, 32);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const signatures[TABLES] = {"DSDT", "APIC", "HPET", "FACP", "WAET", "SSDT"};
    struct acpi_tables tables;
    uint32_t dsdt = 0;

    if (size < 2 * TABLES || size > 4096)
        return 0;
    uint8_t flags = data[size - 1];
    uint32_t entries = flags & MANY ? ENTRIES : TABLES;
    struct memory memory = {.bytes = calloc(1, CONTENT + size), .size = CONTENT + size};
    assert(memory.bytes);
    memcpy(memory.bytes + CONTENT, data, size);

    make_rsdp(memory.bytes, flags);
    memcpy(memory.bytes + RSDT, "RSDT", 4);
    put32(memory.bytes + RSDT + 4, HEADER + 4 * entries);
    memcpy(memory.bytes + XSDT, "XSDT", 4);
    put32(memory.bytes + XSDT + 4, HEADER + 8 * entries);
    for (size_t i = 0; i < TABLES; i++) {
        size_t place = (data[2 * i] | (size_t)data[2 * i + 1] << 8) % size;
        uint32_t address = (uint32_t)(BASE + CONTENT + place);
        for (size_t n = i; n < ENTRIES; n += TABLES) {
            put32(memory.bytes + RSDT + HEADER + 4 * n, address);
            put32(memory.bytes + XSDT + HEADER + 8 * n, address);
        }
        if (i == 0)
            dsdt = address;
        else if (i == FACP && size - place >= FADT_DSDT + 4)
            put32(memory.bytes + CONTENT + place + FADT_DSDT, dsdt);
        make_table(memory.bytes + CONTENT + place, size - place, signatures[i]);
    }
    mend(memory.bytes + RSDT, HEADER + 4 * entries, CHECKSUM);
    mend(memory.bytes + XSDT, HEADER + 8 * entries, CHECKSUM);

    acpi_parse(&tables, &(struct phys){view, &memory}, flags & NAMED ? BASE : 0);
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
