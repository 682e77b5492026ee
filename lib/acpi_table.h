// One ACPI table: found whole and sound, or refused with the reason. Used by lib/acpi*.c only, but
// for the reading of bytes, which lib/smbios.c shares.
// Sources: ACPI Specification 6.5, 5.2.6 for the header, 5.2.3.2 for the Generic Address Structure.
#pragma once

#include "lib/acpi.h"

#define ACPI_HEADER_SIZE 36
// Offsets in the header
#define ACPI_TABLE_LENGTH   4
#define ACPI_TABLE_REVISION 8
#define ACPI_TABLE_OEM_ID   10
#define ACPI_TABLE_MAX      (64u << 10)
#define ACPI_DSDT_MAX       (1u << 20)

#define ACPI_GAS_SIZE    12
#define ACPI_GAS_ADDRESS 4 // offset; at offset 0 is the address space:
#define ACPI_GAS_MEMORY  0
#define ACPI_GAS_IO      1

struct acpi_reader {
    struct acpi_tables *tables; // what was found
    const struct phys *phys;
};

struct acpi_table {
    const uint8_t *bytes; // NULL: none
    uint32_t length;
};

// Little-endian numbers at any alignment.
uint16_t acpi_read16(const uint8_t *at);
uint32_t acpi_read32(const uint8_t *at);
uint64_t acpi_read64(const uint8_t *at);

// Notes what is wrong, in words.
void acpi_problem(struct acpi_reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// So many bytes of guest-physical memory, or NULL. Nothing is at address 0, and nothing wraps.
const uint8_t *acpi_view(const struct acpi_reader *reader, uint64_t address, uint64_t length);

// Do the bytes add up to 0, modulo 256, as a table with its checksum does (ACPI 6.5, 5.2.6)?
bool acpi_sums_to_zero(const uint8_t *bytes, size_t length);
// Copies `length` bytes with '?' for what is not printable, and a NUL.
void acpi_copy_printable(char *out, const uint8_t *from, size_t length);

// Opens the table at `address` if it has this signature, a length within these bounds, and a
// checksum of 0; else notes the problem.
struct acpi_table acpi_open(struct acpi_reader *reader, uint64_t address, const char *signature,
                            uint32_t length_min, uint32_t length_max);

// Takes what is needed from a FADT of ACPI_FADT_MIN bytes or more, and from the DSDT that it names.
#define ACPI_FADT_MIN 116 // ACPI 1.0
void acpi_parse_fadt(struct acpi_reader *reader, struct acpi_table fadt);

// Looks for \_S5 in the DSDT or SSDT at `address`, unless it was found already.
void acpi_parse_aml(struct acpi_reader *reader, uint64_t address, const char *signature);

// Takes the processors from a MADT of ACPI_MADT_MIN bytes or more.
#define ACPI_MADT_MIN 44
void acpi_parse_madt(struct acpi_reader *reader, struct acpi_table madt);
