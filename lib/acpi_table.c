#include "lib/acpi_table.h"

#include "lib/text.h"

// x86 is little-endian, as the tables are, and reads at any alignment. Wide reads, because some
// hypervisors emulate every instruction.
struct __attribute__((packed, may_alias)) unaligned32 {
    uint32_t value;
};
struct __attribute__((packed, may_alias)) unaligned64 {
    uint64_t value;
};

uint16_t acpi_read16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

uint32_t acpi_read32(const uint8_t *at)
{
    return ((const struct unaligned32 *)at)->value;
}

uint64_t acpi_read64(const uint8_t *at)
{
    return ((const struct unaligned64 *)at)->value;
}

void acpi_problem(struct acpi_reader *reader, const char *format, ...)
{
    size_t index = reader->tables->problem_count++;
    struct text text;
    __builtin_va_list arguments;

    if (index >= ACPI_PROBLEMS_MAX)
        return;
    text_init(&text, reader->tables->problems[index], sizeof(reader->tables->problems[index]));
    __builtin_va_start(arguments, format);
    text_vformat(&text, format, arguments);
    __builtin_va_end(arguments);
}

const uint8_t *acpi_view(const struct acpi_reader *reader, uint64_t address, uint64_t length)
{
    if (address == 0 || length > UINT64_MAX - address)
        return NULL;
    return phys_view(reader->phys, address, length);
}

bool acpi_sums_to_zero(const uint8_t *bytes, size_t length)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + bytes[i]);
    return sum == 0;
}

void acpi_copy_printable(char *out, const uint8_t *from, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        bool is_printable = from[i] >= ' ' && from[i] <= '~';
        out[i] = (char)(is_printable ? from[i] : '?');
    }
    out[length] = '\0';
}

struct acpi_table acpi_open(struct acpi_reader *reader, uint64_t address, const char *signature,
                            uint32_t length_min, uint32_t length_max)
{
    const struct acpi_table none = {NULL, 0};
    const uint8_t *header = acpi_view(reader, address, ACPI_HEADER_SIZE);

    if (!header) {
        acpi_problem(reader, "%s: 0x%llx cannot be read", signature, (unsigned long long)address);
        return none;
    }
    char found[5];
    acpi_copy_printable(found, header, 4);
    if (!text_equal(found, signature)) {
        acpi_problem(reader, "%s: at 0x%llx is \"%s\"", signature, (unsigned long long)address,
                     found);
        return none;
    }
    uint32_t length = acpi_read32(header + ACPI_TABLE_LENGTH);
    if (length < length_min || length > length_max) {
        acpi_problem(reader, "%s: its length is %u, not %u to %u", signature, length, length_min,
                     length_max);
        return none;
    }
    // Only now, as a length that lies would reach into device memory.
    const uint8_t *bytes = acpi_view(reader, address, length);
    if (!bytes || !acpi_sums_to_zero(bytes, length)) {
        acpi_problem(reader, "%s: %s", signature,
                     bytes ? "its checksum is wrong" : "it reaches beyond readable memory");
        return none;
    }
    return (struct acpi_table){bytes, length};
}
