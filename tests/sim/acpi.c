// The ACPI tables of the simulated machine, and what may be wrong with them.
// Offsets: ACPI Specification 6.5, chapter 5; HPET: IA-PC HPET 1.0a, section 3.2.4.
#include "tests/sim/model.h"

#include <string.h>

#define RSDP_IN_ROM  0xf5a40u
#define RSDP_IN_EBDA 0x9fc10u
#define NOWHERE      0x7ff00000u // below 4 GiB, above all memory of every simulated machine
#define HEADER       36

enum { ROOT, FADT, DSDT, HPET_TABLE, MADT, WAET, TABLES };

// One table each page, at the top of memory.
static uint64_t address_of(unsigned table)
{
    return ((uint64_t)sim.config->memory_mib << 20) - 0x10000 + 0x1000u * table;
}

static void put(uint8_t *table, size_t offset, uint64_t value, size_t size)
{
    memcpy(table + offset, &value, size); // the host is little-endian as well
}

static void seal(uint8_t *bytes, size_t length, size_t checksum)
{
    uint8_t sum = 0;

    bytes[checksum] = 0;
    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + bytes[i]);
    bytes[checksum] = (uint8_t)-sum;
}

static uint8_t *begin(unsigned table, const char *signature, size_t length, uint8_t revision)
{
    uint8_t *bytes = memory_add(address_of(table), length);

    memcpy(bytes, signature, 4);
    put(bytes, 4, length, 4);
    bytes[8] = revision;
    memcpy(bytes + 10, "SIMSIMSIMTABLE", 14);
    if (sim.config->acpi.oem_id)
        memcpy(bytes + 10, sim.config->acpi.oem_id, 6);
    return bytes;
}

static void end(uint8_t *bytes)
{
    uint32_t length;

    memcpy(&length, bytes + 4, 4);
    seal(bytes, length, 9);
}

// A Generic Address Structure (5.2.3.2) in I/O space.
static void put_port(uint8_t *table, size_t offset, uint8_t bits, uint16_t port)
{
    table[offset] = 1;
    table[offset + 1] = bits;
    put(table, offset + 4, port, 8);
}

static void build_fadt(void)
{
    const struct sim_acpi *acpi = &sim.config->acpi;
    const struct sim_pm_timer *timer = &sim.config->pm_timer;
    bool is_long = acpi->hypervisor || acpi->sleep_address;
    size_t length = acpi->lie == SIM_ACPI_FADT_SHORT ? 64 : is_long ? 276 : acpi->xsdt ? 244 : 132;
    uint8_t *fadt = begin(FADT, "FACP", length, is_long ? 6 : acpi->xsdt ? 3 : 1);
    uint64_t dsdt = acpi->lie == SIM_ACPI_DSDT_NOWHERE ? NOWHERE : address_of(DSDT);
    uint16_t timer_port = timer->clock.fault == SIM_ABSENT ? 0 : timer->port;
    uint32_t flags = (timer->claims_32 ? 1u << 8 : 0) |
                     (acpi->reset_port || acpi->reset_address ? 1u << 10 : 0) |
                     (acpi->sleep_address ? 1u << 20 : 0);

    put(fadt, 40, dsdt, 4);
    if (length > 64) {
        put(fadt, 64, acpi->pm1a_port, 4);
        put(fadt, 76, timer_port, 4);
        fadt[89] = acpi->pm1a_port ? 2 : 0;
        fadt[91] = timer_port ? 4 : 0;
        put(fadt, 112, flags, 4);
        if (acpi->reset_port)
            put_port(fadt, 116, 8, acpi->reset_port);
        if (acpi->reset_address)
            put(fadt, 116 + 4, acpi->reset_address, 8);
        fadt[128] = acpi->reset_value;
    }
    if (length == 276) {
        put(fadt, 244 + 4, acpi->sleep_address, 8);
        if (acpi->hypervisor)
            memcpy(fadt + 268, acpi->hypervisor, strlen(acpi->hypervisor));
    }
    if (length >= 244) {
        put(fadt, 140, dsdt, 8);
        if (acpi->pm1a_port)
            put_port(fadt, 172, 16, acpi->pm1a_port);
        if (timer_port)
            put_port(fadt, 208, 32, timer_port);
    }
    end(fadt);
    if (acpi->lie == SIM_ACPI_TABLE_HUGE)
        put(fadt, 4, UINT32_MAX, 4);
}

static void build_dsdt(void)
{
    // Name (\_S5_, Package () {5, 5, 0, 0})
    static const uint8_t s5[] = {0x08, '_',  'S',  '5',  '_',  0x12, 0x08,
                                 0x04, 0x0a, 0x05, 0x0a, 0x05, 0x00, 0x00};
    // Name (\_S3_, Package () {1, 1, 0, 0}): there to be told from it
    static const uint8_t s3[] = {0x08, '_',  'S',  '3',  '_',  0x12, 0x08,
                                 0x04, 0x0a, 0x01, 0x0a, 0x01, 0x00, 0x00};
    bool has_s5 = sim.config->acpi.has_s5;
    uint8_t *dsdt = begin(DSDT, "DSDT", HEADER + sizeof(s3) + (has_s5 ? sizeof(s5) : 0), 2);

    memcpy(dsdt + HEADER, s3, sizeof(s3));
    if (has_s5)
        memcpy(dsdt + HEADER + sizeof(s3), s5, sizeof(s5));
    end(dsdt);
}

static void build_hpet(void)
{
    const struct sim_hpet *hpet = &sim.config->hpet;
    uint8_t *table = begin(HPET_TABLE, "HPET", 56, 1);

    put(table, 36, (uint32_t)hpet->vendor << 16 | (uint32_t)hpet->is_64_bit << 13 | 2u << 8 | 1, 4);
    put(table, 44, sim.config->acpi.lie == SIM_ACPI_HPET_LOW ? 0x100000 : hpet->address, 8);
    end(table);
}

static void build_madt(void)
{
    uint8_t entries[16 * SIM_VCPUS_MAX] = {0};
    size_t length = 0;

    for (unsigned i = 0; i < sim.config->acpi.cpus; i++) {
        uint8_t *entry = entries + length;
        uint32_t id = vcpus_apic_id(i);
        if (id < 255) {
            entry[1] = 8; // type 0, length
            entry[2] = (uint8_t)i;
            entry[3] = (uint8_t)id;
            entry[4] = 1; // enabled
        } else {
            entry[0] = 9;
            entry[1] = 16;
            put(entry, 4, id, 4);
            entry[8] = 1;
            put(entry, 12, i, 4);
        }
        length += entry[1];
    }
    uint8_t *madt = begin(MADT, "APIC", 44 + length, 3);
    put(madt, 36, sim.config->lapic.address, 4);
    memcpy(madt + 44, entries, length);
    end(madt);
}

static void build_waet(void)
{
    uint8_t *waet = begin(WAET, "WAET", 40, 1);

    waet[36] = 2;
    end(waet);
}

static void build_root(void)
{
    const struct sim_acpi *acpi = &sim.config->acpi;
    size_t width = acpi->xsdt ? 8 : 4;
    uint64_t tables[4];
    size_t count = 0;

    tables[count++] = acpi->lie == SIM_ACPI_TABLE_NOWHERE ? NOWHERE : address_of(FADT);
    if (acpi->has_hpet)
        tables[count++] = address_of(HPET_TABLE);
    if (acpi->has_madt)
        tables[count++] = address_of(MADT);
    if (acpi->has_waet)
        tables[count++] = address_of(WAET);
    uint8_t *root = begin(ROOT, acpi->xsdt ? "XSDT" : "RSDT", HEADER + width * count, 1);
    for (size_t i = 0; i < count; i++)
        put(root, HEADER + width * i, tables[i], width);
    end(root);
    if (acpi->lie == SIM_ACPI_ROOT_CHECKSUM)
        root[9]++;
}

static void build_rsdp(void)
{
    const struct sim_acpi *acpi = &sim.config->acpi;
    uint64_t root = acpi->lie == SIM_ACPI_ROOT_NOWHERE ? NOWHERE : address_of(ROOT);
    uint8_t *rsdp = memory_at(sim.rsdp, 36);

    memcpy(rsdp, "RSD PTR \0SIMSIM", 15);
    if (acpi->oem_id)
        memcpy(rsdp + 9, acpi->oem_id, 6);
    if (acpi->xsdt) {
        rsdp[15] = 2;
        put(rsdp, 20, 36, 4);
        put(rsdp, 24, root, 8);
    } else {
        put(rsdp, 16, root, 4);
    }
    seal(rsdp, 20, 8);
    if (acpi->xsdt)
        seal(rsdp, 36, 32);
    if (acpi->lie == SIM_ACPI_RSDP_CHECKSUM)
        rsdp[8]++;
}

void acpi_build(void)
{
    const struct sim_acpi *acpi = &sim.config->acpi;

    sim.rsdp = 0;
    if (!acpi->present)
        return;
    sim.rsdp = acpi->in_ebda ? RSDP_IN_EBDA : RSDP_IN_ROM;
    build_fadt();
    build_dsdt();
    if (acpi->has_hpet)
        build_hpet();
    if (acpi->has_madt)
        build_madt();
    if (acpi->has_waet)
        build_waet();
    build_root();
    build_rsdp();
}
