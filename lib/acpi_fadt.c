// The FADT, and the one object of the DSDT that is needed.
#include "lib/acpi_table.h"

// Offsets in the FADT (5.2.9, table 5.9).
#define FADT_DSDT          40
#define FADT_PM1A_CNT_BLK  64
#define FADT_PM1B_CNT_BLK  68
#define FADT_PM_TMR_BLK    76
#define FADT_PM1_CNT_LEN   89
#define FADT_PM_TMR_LEN    91
#define FADT_FLAGS         112
#define FADT_TMR_VAL_EXT   (1u << 8)
#define FADT_RESET_REG_SUP (1u << 10)
#define FADT_HW_REDUCED    (1u << 20)
#define FADT_RESET_REG     116
#define FADT_RESET_VALUE   128
#define FADT_X_DSDT        140
#define FADT_X_PM1A_CNT    172
#define FADT_X_PM1B_CNT    184
#define FADT_X_PM_TMR      208

// AML (20.2): the little of it that a \_S5 package is made of.
#define AML_ZERO    0x00
#define AML_ONE     0x01
#define AML_NAME    0x08
#define AML_BYTE    0x0a
#define AML_WORD    0x0b
#define AML_DWORD   0x0c
#define AML_PACKAGE 0x12
#define AML_ROOT    0x5c        // '\'
#define AML_S5      0x5f35535fu // "_S5_"
#define SLP_TYP_MAX 7           // a field of 3 bits (4.8.3.2.1)

// --- \_S5: what to write to leave the machine (7.4.2)

struct aml {
    const uint8_t *at, *end;
};

// Takes `size` bytes off the front, or gives NULL.
static const uint8_t *take(struct aml *aml, size_t size)
{
    const uint8_t *start = aml->at;

    if (size > (size_t)(aml->end - aml->at))
        return NULL;
    aml->at += size;
    return start;
}

static bool take_byte(struct aml *aml, uint8_t expected)
{
    const uint8_t *byte = take(aml, 1);

    return byte && *byte == expected;
}

// A constant (20.2.3) that may be a SLP_TYP.
static bool take_sleep_type(struct aml *aml, uint8_t *type)
{
    const uint8_t *prefix = take(aml, 1);
    uint64_t value = 0;
    size_t size;

    if (!prefix)
        return false;
    switch (*prefix) {
    case AML_ZERO:
    case AML_ONE: // both stand for their own value
        *type = *prefix;
        return true;
    case AML_BYTE:
        size = 1;
        break;
    case AML_WORD:
        size = 2;
        break;
    case AML_DWORD:
        size = 4;
        break;
    default:
        return false;
    }
    const uint8_t *bytes = take(aml, size);
    for (size_t i = 0; bytes && i < size; i++)
        value |= (uint64_t)bytes[i] << 8 * i;
    *type = (uint8_t)value;
    return bytes && value <= SLP_TYP_MAX;
}

// PkgLength (20.2.4) counts from its own first byte.
static bool enter_package(struct aml *aml)
{
    const uint8_t *start = aml->at;
    const uint8_t *lead = take(aml, 1);

    if (!lead)
        return false;
    size_t more = *lead >> 6;
    const uint8_t *rest = take(aml, more);
    if (!rest)
        return false;
    size_t length = more ? *lead & 0x0f : *lead & 0x3f;
    for (size_t i = 0; i < more; i++)
        length |= (size_t)rest[i] << (4 + 8 * i);
    if (length < (size_t)(aml->at - start) || length > (size_t)(aml->end - start))
        return false;
    aml->end = start + length;
    return true;
}

// Whether `aml`, which begins behind the name _S5_, goes on as Package () {TypeA, TypeB, ...}.
static bool parse_s5(struct acpi_tables *tables, struct aml aml)
{
    if (!take_byte(&aml, AML_PACKAGE) || !enter_package(&aml))
        return false;
    const uint8_t *elements = take(&aml, 1);
    tables->has_s5 = elements && *elements >= 2 && take_sleep_type(&aml, &tables->s5_type_a) &&
                     take_sleep_type(&aml, &tables->s5_type_b);
    return tables->has_s5;
}

static void parse_dsdt(struct acpi_reader *reader, uint64_t address)
{
    struct acpi_table dsdt = acpi_open(reader, address, "DSDT", ACPI_HEADER_SIZE, ACPI_DSDT_MAX);
    bool named = false;

    for (size_t i = ACPI_HEADER_SIZE + 1; dsdt.bytes && i + 4 <= dsdt.length; i++) {
        if (acpi_read32(dsdt.bytes + i) != AML_S5)
            continue;
        size_t before = i - 1;
        if (dsdt.bytes[before] == AML_ROOT && before > ACPI_HEADER_SIZE)
            before--;
        if (dsdt.bytes[before] != AML_NAME)
            continue;
        named = true;
        struct aml rest = {dsdt.bytes + i + 4, dsdt.bytes + dsdt.length};
        if (parse_s5(reader->tables, rest))
            return;
    }
    if (named)
        acpi_problem(reader, "DSDT: \\_S5 is not a package of two sleep types");
}

// --- The tables that are used

// Port of a register block: the extended field counts where it is not 0 (5.2.9). 0: none.
static uint16_t register_port(struct acpi_reader *reader, struct acpi_table fadt, const char *name,
                              size_t offset, size_t extended_offset)
{
    uint64_t address = acpi_read32(fadt.bytes + offset);

    if (fadt.length >= extended_offset + ACPI_GAS_SIZE) {
        const uint8_t *gas = fadt.bytes + extended_offset;
        uint64_t extended = acpi_read64(gas + ACPI_GAS_ADDRESS);
        if (extended && gas[0] != ACPI_GAS_IO) {
            acpi_problem(reader, "FACP: %s is in address space %u, not a port", name, gas[0]);
            return 0;
        }
        if (extended)
            address = extended;
    }
    if (address > UINT16_MAX) {
        acpi_problem(reader, "FACP: %s is at 0x%llx, not a port", name,
                     (unsigned long long)address);
        return 0;
    }
    return (uint16_t)address;
}

static void parse_pm_timer(struct acpi_reader *reader, struct acpi_table fadt, uint32_t flags)
{
    struct acpi_tables *tables = reader->tables;
    unsigned length = fadt.bytes[FADT_PM_TMR_LEN];
    uint16_t port = register_port(reader, fadt, "the PM timer", FADT_PM_TMR_BLK, FADT_X_PM_TMR);

    if (port == 0)
        return;
    if (length != 4) {
        acpi_problem(reader, "FACP: PM_TMR_LEN is %u, not 4", length);
        return;
    }
    tables->pm_timer_port = port;
    tables->pm_timer_bits = (flags & FADT_TMR_VAL_EXT) ? 32 : 24;
}

static void parse_pm1_control(struct acpi_reader *reader, struct acpi_table fadt)
{
    struct acpi_tables *tables = reader->tables;
    unsigned length = fadt.bytes[FADT_PM1_CNT_LEN];
    uint16_t a = register_port(reader, fadt, "PM1a_CNT", FADT_PM1A_CNT_BLK, FADT_X_PM1A_CNT);
    uint16_t b = register_port(reader, fadt, "PM1b_CNT", FADT_PM1B_CNT_BLK, FADT_X_PM1B_CNT);

    if (a == 0)
        return;
    if (length < 2) {
        acpi_problem(reader, "FACP: PM1_CNT_LEN is %u, not 2 or more", length);
        return;
    }
    tables->pm1a_control_port = a;
    tables->pm1b_control_port = b;
}

// The register may also be in memory or PCI space, which is no lie; it is only not used.
static void parse_reset(struct acpi_tables *tables, struct acpi_table fadt, uint32_t flags)
{
    if (!(flags & FADT_RESET_REG_SUP) || fadt.length <= FADT_RESET_VALUE)
        return;
    const uint8_t *gas = fadt.bytes + FADT_RESET_REG;
    uint64_t address = acpi_read64(gas + ACPI_GAS_ADDRESS);
    if (gas[0] != ACPI_GAS_IO || address == 0 || address > UINT16_MAX)
        return;
    tables->has_reset = true;
    tables->reset_port = (uint16_t)address;
    tables->reset_value = fadt.bytes[FADT_RESET_VALUE];
}

void acpi_parse_fadt(struct acpi_reader *reader, struct acpi_table fadt)
{
    struct acpi_tables *tables = reader->tables;
    uint32_t flags = acpi_read32(fadt.bytes + FADT_FLAGS);
    uint64_t dsdt = acpi_read32(fadt.bytes + FADT_DSDT);

    tables->has_fadt = true;
    parse_reset(tables, fadt, flags);
    // Reduced hardware has none of the fixed registers, whatever the fields say (4.1).
    if (!(flags & FADT_HW_REDUCED)) {
        parse_pm_timer(reader, fadt, flags);
        parse_pm1_control(reader, fadt);
    }
    if (fadt.length >= FADT_X_DSDT + 8 && acpi_read64(fadt.bytes + FADT_X_DSDT))
        dsdt = acpi_read64(fadt.bytes + FADT_X_DSDT);
    if (dsdt)
        parse_dsdt(reader, dsdt);
    else
        acpi_problem(reader, "FACP: it names no DSDT");
}
