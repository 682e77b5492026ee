// What every boot door hands to the kernel, whatever the protocol.
//
// A door copies; nothing in here points into memory that belongs to the loader. What a door found
// wrong in the loader's data it writes into `notes`, in words, and goes on with what is left.
#pragma once

#include "lib/types.h"

enum boot_protocol {
    BOOT_UNKNOWN, // neither magic matched: the kernel still runs, with nothing from the loader
    BOOT_MULTIBOOT1,
    BOOT_MULTIBOOT2,
    BOOT_PVH,
    BOOT_LINUX16, // a bzImage entered by its real-mode setup code
    BOOT_LINUX32, // ... by its 32-bit entry
    BOOT_LINUX64, // a bzImage or the ELF, by the 64-bit entry with RSI = boot_params
    BOOT_EFI,
};

// Types of the memory map, ACPI 6.5 table 15.4 ("Address Range Types"); Multiboot 1 and PVH use the
// same numbers.
#define MEMORY_RAM          1
#define MEMORY_RESERVED     2
#define MEMORY_ACPI_RECLAIM 3
#define MEMORY_ACPI_NVS     4

struct memory_region {
    uint64_t base;
    uint64_t length; // bytes, never 0, and base + length never wraps
    uint32_t type;
};

#define BOOT_CMDLINE_MAX 2048 // bytes with the NUL; Linux's own limit on x86
#define BOOT_REGIONS_MAX 128
#define BOOT_NOTES_MAX   8
#define BOOT_NOTE_MAX    96

// A linear framebuffer with direct colour. Absent: address 0. Nothing here is checked by a door.
struct framebuffer {
    uint64_t address;       // guest-physical
    uint32_t pitch;         // bytes from one line to the next
    uint32_t width, height; // pixels
    uint8_t bits;           // per pixel, padding included
    struct {
        uint8_t position, size; // bits; position 0 is the least significant
    } red, green, blue;
};

// What Jailhouse's loader says of its cell, in kHz as it stands there.
struct jailhouse_setup {
    bool present;
    uint32_t tsc_khz, apic_khz;
};

struct boot_info {
    enum boot_protocol protocol;
    char loader[64];                // the loader's own name for itself, "" if it gave none
    char cmdline[BOOT_CMDLINE_MAX]; // always NUL-terminated, "" if there is none
    char options_from[48]; // where cmdline comes from, in words; "": the protocol's command line
    struct memory_region regions[BOOT_REGIONS_MAX];
    size_t region_count;
    uint64_t rsdp;   // guest-physical address of the ACPI RSDP, 0: the kernel searches
    uint64_t smbios; // guest-physical address of the SMBIOS entry point, 0: the kernel searches
    uint64_t efi_system_table; // of firmware whose boot services were left by us, else 0
    // Two 4 KiB pages below 1 MiB that nobody else uses, for other CPUs to start in; 0: the door
    // could reserve none, but the memory map says what is free.
    uint64_t low_page;
    struct framebuffer framebuffer;
    struct jailhouse_setup jailhouse;
    char notes[BOOT_NOTES_MAX][BOOT_NOTE_MAX];
    size_t note_count; // may exceed BOOT_NOTES_MAX; the rest were dropped
};

// The stable word of a protocol, as records and `expect=boot:` use it: "multiboot1",
// "multiboot2", "pvh", "linux16", "linux32", "linux64", "efi", "unknown".
const char *boot_protocol_word(enum boot_protocol protocol);

// The words that loaders of this protocol add to the command line by themselves, as options.h takes
// them: NULL-terminated, with any value where they end in '=', any ending where in '.'.
const char *const *boot_protocol_added_words(enum boot_protocol protocol);

// The kernel's one entry: it never returns. Interrupts are off, the stack, GDT, IDT and page tables
// are ours, and bss is zero.
_Noreturn void kernel_main(const struct boot_info *boot);
