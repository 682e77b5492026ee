#include "lib/acpi.h"

#include "lib/acpi_table.h"
#include "lib/aml.h"
#include "lib/text.h"

// Offsets in an RSDP (ACPI 6.5, 5.2.5.3).
#define RSDP_OEM_ID    9
#define RSDP_REVISION  15
#define RSDP_RSDT      16
#define RSDP_LENGTH    20
#define RSDP_XSDT      24
#define RSDP_SIZE_1    20 // revision 0, and what the first checksum covers
#define RSDP_SIZE_2    36
#define RSDP_SIZE_MAX  4096
#define RSDP_SIGNATURE 0x2052545020445352u // "RSD PTR "

// Where an RSDP is searched for (5.2.5.1). The BIOS data area holds the EBDA's segment at 0x40E.
#define EBDA_POINTER     0x40eu
#define EBDA_LENGTH      1024u
#define EBDA_END         0xa0000u
#define ROM_START        0xe0000u
#define ROM_LENGTH       0x20000u
#define SEARCH_ALIGNMENT 16u

// Offsets in the HPET table (IA-PC HPET 1.0a, 3.2.4).
#define HPET_BASE     40
#define HPET_SIZE_MIN 56

// Offsets in the WAET (Windows ACPI Emulated Devices Table, version 1.0).
#define WAET_FLAGS    36
#define WAET_SIZE_MIN 40

static void parse_hpet(struct acpi_reader *reader, struct acpi_table hpet)
{
    const uint8_t *gas = hpet.bytes + HPET_BASE;
    uint64_t address = acpi_read64(gas + ACPI_GAS_ADDRESS);

    if (gas[0] != ACPI_GAS_MEMORY || address == 0) {
        acpi_problem(reader, "HPET: its address is 0x%llx in address space %u",
                     (unsigned long long)address, gas[0]);
        return;
    }
    reader->tables->has_hpet = true;
    reader->tables->hpet_address = address;
}

static void parse_waet(struct acpi_reader *reader, struct acpi_table waet)
{
    reader->tables->has_waet = true;
    reader->tables->waet_flags = acpi_read32(waet.bytes + WAET_FLAGS);
}

static const struct user {
    const char *signature;
    uint32_t length_min;
    void (*parse)(struct acpi_reader *reader, struct acpi_table table);
} users[] = {
    {"FACP", ACPI_FADT_MIN, acpi_parse_fadt},
    {"HPET", HPET_SIZE_MIN, parse_hpet},
    {"WAET", WAET_SIZE_MIN, parse_waet},
    {"APIC", ACPI_MADT_MIN, acpi_parse_madt},
};

static const struct user *find_user(const char *signature)
{
    for (size_t i = 0; i < ARRAY_SIZE(users); i++)
        if (text_equal(users[i].signature, signature))
            return &users[i];
    return NULL;
}

static bool is_listed(const struct acpi_tables *tables, const char *signature)
{
    for (size_t i = 0; i < tables->table_count; i++)
        if (text_equal(tables->tables[i].signature, signature))
            return true;
    return false;
}

static void list_table(struct acpi_tables *tables, const char *signature, uint64_t address,
                       const uint8_t *header)
{
    size_t index = tables->table_count++;

    memcpy(tables->tables[index].signature, signature, sizeof(tables->tables[index].signature));
    acpi_copy_printable(tables->tables[index].oem_id, header + ACPI_TABLE_OEM_ID, 6);
    tables->tables[index].address = address;
    tables->tables[index].length = acpi_read32(header + ACPI_TABLE_LENGTH);
}

void acpi_parse_aml(struct acpi_reader *reader, uint64_t address, const char *signature)
{
    struct acpi_tables *tables = reader->tables;
    uint8_t types[2];

    if (tables->has_s5)
        return;
    struct acpi_table table =
        acpi_open(reader, address, signature, ACPI_HEADER_SIZE, ACPI_DSDT_MAX);
    if (!table.bytes)
        return;
    switch (aml_find_s5(table.bytes + ACPI_HEADER_SIZE, table.length - ACPI_HEADER_SIZE, types)) {
    case AML_S5_FOUND:
        tables->has_s5 = true;
        tables->s5_type_a = types[0];
        tables->s5_type_b = types[1];
        break;
    case AML_S5_WRONG:
        acpi_problem(reader, "%s: \\_S5 is not a package of two sleep types", signature);
        break;
    case AML_S5_ABSENT:
        break;
    }
}

// --- The root

// Lists the table at `address`, and uses it if there is a use for it. The others are not read
// beyond their header.
static void follow(struct acpi_reader *reader, const char *root, uint64_t address)
{
    const uint8_t *header = acpi_view(reader, address, ACPI_HEADER_SIZE);
    struct acpi_table table = {NULL, 0};
    char signature[5];

    if (!header) {
        acpi_problem(reader, "%s: it lists a table at 0x%llx, which cannot be read", root,
                     (unsigned long long)address);
        return;
    }
    acpi_copy_printable(signature, header, 4);
    uint32_t length = acpi_read32(header + ACPI_TABLE_LENGTH);
    if (text_equal(signature, "XSDT") || text_equal(signature, "RSDT") ||
        length < ACPI_HEADER_SIZE || length > ACPI_DSDT_MAX) {
        acpi_problem(reader, "%s: it lists \"%s\" at 0x%llx with a length of %u", root, signature,
                     (unsigned long long)address, length);
        return;
    }
    const struct user *user = find_user(signature);
    if (user && is_listed(reader->tables, signature)) {
        acpi_problem(reader, "%s: it lists a second %s, which is not used", root, signature);
        return;
    }
    if (user)
        table = acpi_open(reader, address, signature, user->length_min, ACPI_TABLE_MAX);
    if (user && !table.bytes)
        return;
    list_table(reader->tables, signature, address, header);
    if (user)
        user->parse(reader, table);
}

// Follows what the root table at `address` lists, in entries of `width` bytes. False: it is
// unsound.
static bool parse_root(struct acpi_reader *reader, uint64_t address, const char *name, size_t width)
{
    struct acpi_table root = acpi_open(reader, address, name, ACPI_HEADER_SIZE, ACPI_TABLE_MAX);

    if (!root.bytes)
        return false;
    size_t count = (root.length - ACPI_HEADER_SIZE) / width;
    if (count > ACPI_TABLES_MAX) {
        acpi_problem(reader, "%s: of its %zu tables the first %u are looked at", name, count,
                     ACPI_TABLES_MAX);
        count = ACPI_TABLES_MAX;
    }
    for (size_t i = 0; i < count; i++) {
        const uint8_t *entry = root.bytes + ACPI_HEADER_SIZE + i * width;
        follow(reader, name, width == 8 ? acpi_read64(entry) : acpi_read32(entry));
    }
    return true;
}

// Address of the XSDT, 0: none that can be believed.
static uint64_t find_xsdt(struct acpi_reader *reader, uint64_t address, const uint8_t *rsdp)
{
    if (rsdp[RSDP_REVISION] < 2)
        return 0;
    const uint8_t *bytes = acpi_view(reader, address, RSDP_SIZE_2);
    uint32_t length = bytes ? acpi_read32(bytes + RSDP_LENGTH) : 0;
    if (length < RSDP_SIZE_2 || length > RSDP_SIZE_MAX) {
        acpi_problem(reader, "RSDP: its length is %u, not %u to %u", length, RSDP_SIZE_2,
                     RSDP_SIZE_MAX);
        return 0;
    }
    bytes = acpi_view(reader, address, length);
    if (!bytes || !acpi_sums_to_zero(bytes, length)) {
        acpi_problem(reader, "RSDP: its extended checksum is wrong");
        return 0;
    }
    return acpi_read64(bytes + RSDP_XSDT);
}

static void parse_roots(struct acpi_reader *reader, uint64_t address, const uint8_t *rsdp)
{
    uint64_t xsdt = find_xsdt(reader, address, rsdp);
    uint64_t rsdt = acpi_read32(rsdp + RSDP_RSDT);

    reader->tables->found = true;
    reader->tables->rsdp = address;
    acpi_copy_printable(reader->tables->oem_id, rsdp + RSDP_OEM_ID, 6);
    if (xsdt && parse_root(reader, xsdt, "XSDT", 8))
        return;
    if (rsdt)
        parse_root(reader, rsdt, "RSDT", 4);
    else if (!xsdt)
        acpi_problem(reader, "RSDP: it names no table");
}

static void parse_rsdp(struct acpi_reader *reader, uint64_t address, const uint8_t *rsdp)
{
    const struct acpi_tables *tables = reader->tables;

    parse_roots(reader, address, rsdp);
    // Last, since the FADT names the DSDT, which comes first.
    for (size_t i = 0; tables->has_fadt && i < tables->table_count; i++)
        if (text_equal(tables->tables[i].signature, "SSDT"))
            acpi_parse_aml(reader, tables->tables[i].address, "SSDT");
}

static bool is_rsdp(const uint8_t *bytes)
{
    return acpi_read64(bytes) == RSDP_SIGNATURE && acpi_sums_to_zero(bytes, RSDP_SIZE_1);
}

// Looks for an RSDP in the `length` bytes at `start` and gives its address, or 0. One whose
// checksum is wrong is left in *damaged.
static uint64_t search(const struct acpi_reader *reader, uint64_t start, uint64_t length,
                       uint64_t *damaged)
{
    // One view of all of it where there is one: this is up to 8192 steps.
    const uint8_t *all = acpi_view(reader, start, length);

    for (uint64_t offset = 0; offset + RSDP_SIZE_1 <= length; offset += SEARCH_ALIGNMENT) {
        const uint8_t *at = all ? all + offset : acpi_view(reader, start + offset, RSDP_SIZE_1);
        if (!at || acpi_read64(at) != RSDP_SIGNATURE)
            continue;
        if (is_rsdp(at))
            return start + offset;
        *damaged = start + offset;
    }
    return 0;
}

static uint64_t search_everywhere(struct acpi_reader *reader)
{
    const uint8_t *pointer = acpi_view(reader, EBDA_POINTER, 2);
    uint64_t ebda = pointer ? (uint64_t)acpi_read16(pointer) << 4 : 0;
    uint64_t found = 0, damaged = 0;

    if (ebda && ebda + EBDA_LENGTH <= EBDA_END)
        found = search(reader, ebda, EBDA_LENGTH, &damaged);
    if (!found)
        found = search(reader, ROM_START, ROM_LENGTH, &damaged);
    if (!found && damaged)
        acpi_problem(reader, "RSDP: the only one, at 0x%llx, has a wrong checksum",
                     (unsigned long long)damaged);
    return found;
}

void acpi_parse(struct acpi_tables *tables, const struct phys *phys, uint64_t rsdp)
{
    struct acpi_reader reader = {tables, phys};
    uint64_t address = rsdp;

    memset(tables, 0, sizeof(*tables));
    if (rsdp == 0)
        address = search_everywhere(&reader);
    const uint8_t *bytes = address ? acpi_view(&reader, address, RSDP_SIZE_1) : NULL;
    if (bytes && is_rsdp(bytes))
        parse_rsdp(&reader, address, bytes);
    else if (rsdp)
        acpi_problem(&reader, "RSDP: there is none at 0x%llx, where the loader says it is",
                     (unsigned long long)rsdp);
}
