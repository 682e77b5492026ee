// The FADT.
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
#define FADT_SLEEP_CONTROL 244
#define FADT_VENDOR        268

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

// A register of one byte that the FADT describes in full. Elsewhere than in memory or among the
// ports, which is no lie, it is only not used.
static struct acpi_register byte_register(struct acpi_table fadt, size_t offset)
{
    const struct acpi_register none = {false, 0};

    if (fadt.length < offset + ACPI_GAS_SIZE)
        return none;
    const uint8_t *gas = fadt.bytes + offset;
    struct acpi_register found = {gas[0] == ACPI_GAS_MEMORY, acpi_read64(gas + ACPI_GAS_ADDRESS)};
    bool is_port = gas[0] == ACPI_GAS_IO && found.address <= UINT16_MAX;
    return found.is_memory || is_port ? found : none;
}

// The identity is padded with NULs.
static size_t vendor_length(const uint8_t *vendor)
{
    size_t length = 8;

    while (length && vendor[length - 1] == 0)
        length--;
    return length;
}

void acpi_parse_fadt(struct acpi_reader *reader, struct acpi_table fadt)
{
    struct acpi_tables *tables = reader->tables;
    uint32_t flags = acpi_read32(fadt.bytes + FADT_FLAGS);
    uint64_t dsdt = acpi_read32(fadt.bytes + FADT_DSDT);

    tables->has_fadt = true;
    tables->fadt_revision = fadt.bytes[ACPI_TABLE_REVISION];
    if (flags & FADT_RESET_REG_SUP && fadt.length > FADT_RESET_VALUE) {
        tables->reset = byte_register(fadt, FADT_RESET_REG);
        tables->reset_value = fadt.bytes[FADT_RESET_VALUE];
    }
    if (fadt.length >= FADT_VENDOR + 8)
        acpi_copy_printable(tables->hypervisor, fadt.bytes + FADT_VENDOR,
                            vendor_length(fadt.bytes + FADT_VENDOR));
    // Reduced hardware has none of the fixed registers, whatever the fields say (4.1).
    if (flags & FADT_HW_REDUCED) {
        tables->sleep_control = byte_register(fadt, FADT_SLEEP_CONTROL);
    } else {
        parse_pm_timer(reader, fadt, flags);
        parse_pm1_control(reader, fadt);
    }
    if (fadt.length >= FADT_X_DSDT + 8 && acpi_read64(fadt.bytes + FADT_X_DSDT))
        dsdt = acpi_read64(fadt.bytes + FADT_X_DSDT);
    if (dsdt)
        acpi_parse_aml(reader, dsdt, "DSDT");
    else
        acpi_problem(reader, "FACP: it names no DSDT");
}
