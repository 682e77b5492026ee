// The processors in the MADT. ACPI Specification 6.5, 5.2.12.
#include "lib/acpi_table.h"

#define ENABLED        (1u << 0)
#define ONLINE_CAPABLE (1u << 1)

#define LOCAL_APIC      0 // 5.2.12.2: a byte of APIC id at offset 3, flags at 4
#define LOCAL_APIC_SIZE 8
#define X2APIC          9 // 5.2.12.12: 32 bits of x2APIC id at offset 4, flags at 8
#define X2APIC_SIZE     16

// Some firmware lists a processor once as either type.
static bool is_listed(const struct acpi_tables *tables, uint32_t apic_id)
{
    for (size_t i = 0; i < tables->apic_id_count && i < ACPI_APIC_IDS_MAX; i++)
        if (tables->apic_ids[i] == apic_id)
            return true;
    return false;
}

static void take(struct acpi_tables *tables, uint32_t apic_id, uint32_t flags)
{
    if (!(flags & (ENABLED | ONLINE_CAPABLE)) || is_listed(tables, apic_id))
        return;
    tables->cpus++;
    if (!(flags & ENABLED))
        return;
    if (tables->apic_id_count < ACPI_APIC_IDS_MAX)
        tables->apic_ids[tables->apic_id_count] = apic_id;
    tables->apic_id_count++;
}

void acpi_parse_madt(struct acpi_reader *reader, struct acpi_table madt)
{
    const uint8_t *end = madt.bytes + madt.length;

    reader->tables->has_madt = true;
    for (const uint8_t *entry = madt.bytes + ACPI_MADT_MIN; entry < end; entry += entry[1]) {
        size_t left = (size_t)(end - entry);
        if (left < 2 || entry[1] < 2 || entry[1] > left) {
            acpi_problem(reader, "APIC: the entry at offset %zu has a wrong length",
                         (size_t)(entry - madt.bytes));
            return;
        }
        if (entry[0] == LOCAL_APIC && entry[1] >= LOCAL_APIC_SIZE)
            take(reader->tables, entry[3], acpi_read32(entry + 4));
        if (entry[0] == X2APIC && entry[1] >= X2APIC_SIZE)
            take(reader->tables, acpi_read32(entry + 4), acpi_read32(entry + 8));
    }
}
