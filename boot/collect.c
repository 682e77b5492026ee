#include "boot/doors.h"

#include "lib/text.h"

void boot_note(struct boot_info *boot, const char *format, ...)
{
    struct text text;
    __builtin_va_list arguments;

    if (boot->note_count++ >= BOOT_NOTES_MAX)
        return;
    text_init(&text, boot->notes[boot->note_count - 1], BOOT_NOTE_MAX);
    __builtin_va_start(arguments, format);
    text_vformat(&text, format, arguments);
    __builtin_va_end(arguments);
}

void boot_copy_string(struct boot_info *boot, const struct phys *phys, uint64_t address,
                      const char *what, char *to, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        // Byte by byte: the string may end just before memory that cannot be read.
        const char *character = phys_view(phys, address + i, 1);
        if (!character) {
            to[i] = '\0';
            boot_note(boot, "the %s at 0x%llx cannot be read to its end", what,
                      (unsigned long long)address);
            return;
        }
        to[i] = *character;
        if (!to[i])
            return;
    }
    to[size - 1] = '\0';
    boot_note(boot, "the %s is longer than %zu bytes and was cut", what, size - 1);
}

bool boot_add_region(struct boot_info *boot, unsigned index, uint64_t base, uint64_t length,
                     uint32_t type)
{
    if (index >= BOOT_REGIONS_MAX) {
        boot_note(boot, "memory map: more than %u entries, the rest were left out",
                  BOOT_REGIONS_MAX);
        return false;
    }
    if (base + length < base)
        boot_note(boot, "memory map: base 0x%llx, length 0x%llx wraps: left out",
                  (unsigned long long)base, (unsigned long long)length);
    else if (length) // QEMU's microvm has an empty one: it says nothing, so nothing is lost
        boot->regions[boot->region_count++] = (struct memory_region){base, length, type};
    return true;
}

void boot_check_regions(struct boot_info *boot)
{
    for (size_t i = 1; i < boot->region_count; i++) {
        const struct memory_region *a = &boot->regions[i];
        for (size_t j = 0; j < i; j++) {
            const struct memory_region *b = &boot->regions[j];
            if (a->base >= b->base + b->length || b->base >= a->base + a->length)
                continue;
            boot_note(boot, "memory map: the regions at 0x%llx and 0x%llx overlap",
                      (unsigned long long)b->base, (unsigned long long)a->base);
            return;
        }
    }
}

// UEFI 2.10, table 7.6, for a program that has left boot services.
static uint32_t type_of_efi(uint32_t type)
{
    switch (type) {
    case 1: // the loader's code and data
    case 2:
    case 3: // boot services'
    case 4:
    case 7: // free
        return MEMORY_RAM;
    case 9:
        return MEMORY_ACPI_RECLAIM;
    case 10:
        return MEMORY_ACPI_NVS;
    default:
        return MEMORY_RESERVED;
    }
}

bool boot_add_efi_region(struct boot_info *boot, uint32_t type, uint64_t base, uint64_t pages)
{
    struct memory_region *last = boot->region_count ? &boot->regions[boot->region_count - 1] : NULL;
    uint64_t length = pages << 12;

    type = type_of_efi(type);
    if (length >> 12 != pages) {
        boot_note(boot, "memory map: 0x%llx pages at 0x%llx: left out", (unsigned long long)pages,
                  (unsigned long long)base);
        return true;
    }
    if (last && last->type == type && last->base + last->length == base && base + length > base) {
        last->length += length;
        return true;
    }
    return boot_add_region(boot, (unsigned)boot->region_count, base, length, type);
}
