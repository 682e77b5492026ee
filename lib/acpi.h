// The few ACPI tables that hypertick needs, parsed with nothing believed.
// Source of all offsets: ACPI Specification 6.5, chapter 5; HPET: IA-PC HPET 1.0a, section 3.2.4.
#pragma once

#include "lib/phys.h"
#include "lib/types.h"

#define ACPI_PROBLEMS_MAX 8
#define ACPI_TABLES_MAX   32
#define ACPI_APIC_IDS_MAX 256

// A register of one byte. Address 0: none.
struct acpi_register {
    bool is_memory; // else it is a port
    uint64_t address;
};

struct acpi_tables {
    bool found;     // a valid RSDP
    uint64_t rsdp;  // where
    char oem_id[7]; // of the RSDP, printable
    struct {
        char signature[5]; // "FACP", printable
        char oem_id[7];    // printable
        uint64_t address;
        uint32_t length;
    } tables[ACPI_TABLES_MAX]; // those that the XSDT or RSDT lists and that are sound
    size_t table_count;

    bool has_fadt;
    uint8_t fadt_revision;
    uint16_t pm_timer_port;             // 0: none
    unsigned pm_timer_bits;             // 24 or 32
    uint16_t pm1a_control_port;         // 0: none
    uint16_t pm1b_control_port;         // 0: none
    struct acpi_register sleep_control; // of reduced hardware (4.8.3.7)
    struct acpi_register reset;         // RESET_REG, where RESET_REG_SUP is set
    uint8_t reset_value;
    char hypervisor[9];           // its "Hypervisor Vendor Identity", printable, "": none
    bool has_s5;                  // \_S5 was found in the DSDT or an SSDT
    uint8_t s5_type_a, s5_type_b; // SLP_TYPa, SLP_TYPb

    bool has_waet;
    uint32_t waet_flags; // of the Windows ACPI Emulated devices Table

    bool has_hpet;
    uint64_t hpet_address;

    bool has_madt;
    unsigned cpus; // enabled or online-capable processors that the MADT lists, 0 without a MADT
    uint32_t apic_ids[ACPI_APIC_IDS_MAX]; // of the enabled ones, in its order, each once
    size_t apic_id_count;                 // may exceed ACPI_APIC_IDS_MAX

    char problems[ACPI_PROBLEMS_MAX][96]; // what was wrong, in words
    size_t problem_count;                 // may exceed ACPI_PROBLEMS_MAX
};

// Looks for the tables. `rsdp` 0: search the EBDA's first KiB and 0xE0000 to 0xFFFFF (ACPI 6.5,
// 5.2.5.1). Reads memory through `phys` only; every length and checksum is checked, at most
// ACPI_TABLES_MAX entries are followed. Finding nothing is no problem; a lie is.
void acpi_parse(struct acpi_tables *tables, const struct phys *phys, uint64_t rsdp);
