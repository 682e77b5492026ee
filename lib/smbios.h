// SMBIOS: what firmware says about the machine, parsed with nothing believed.
// Source of all offsets: DMTF DSP0134 (SMBIOS Reference Specification) 3.7, chapters 5 to 7.
#pragma once

#include "lib/phys.h"
#include "lib/types.h"

#define SMBIOS_STRING_MAX     64
#define SMBIOS_PROBLEMS_MAX   4
#define SMBIOS_PROCESSORS_MAX 4
#define SMBIOS_OPTIONS_MAX    512
// OEM strings that begin so are hypertick's options (docs/options.md).
#define SMBIOS_OPTIONS_PREFIX "hypertick:"

// Strings are printable: '?' stands for what is not, "" for one that is not given, and what does
// not fit is cut.
struct smbios {
    bool found;     // a sound entry point
    uint64_t entry; // where
    uint8_t major, minor;
    unsigned structures; // read, the end's not counted

    char bios_vendor[SMBIOS_STRING_MAX]; // type 0, 7.1
    char bios_version[SMBIOS_STRING_MAX];
    bool virtual_machine;                 // its bit "SMBIOS table describes a virtual machine"
    char manufacturer[SMBIOS_STRING_MAX]; // type 1, 7.2
    char product[SMBIOS_STRING_MAX];
    char version[SMBIOS_STRING_MAX];
    char board_manufacturer[SMBIOS_STRING_MAX]; // type 2, 7.3: the first
    char board_product[SMBIOS_STRING_MAX];
    char chassis_manufacturer[SMBIOS_STRING_MAX]; // type 3, 7.4: the first
    char chassis_asset_tag[SMBIOS_STRING_MAX];
    struct {
        uint16_t external_clock_mhz, max_mhz, current_mhz; // 0: unknown
    } processors[SMBIOS_PROCESSORS_MAX];                   // type 4, 7.5
    size_t processor_count;                                // may exceed SMBIOS_PROCESSORS_MAX

    unsigned oem_strings;             // type 11, 7.12: how many
    char options[SMBIOS_OPTIONS_MAX]; // what follows the prefix, of all OEM strings that have it,
                                      // with a space between them; may hold any bytes

    char problems[SMBIOS_PROBLEMS_MAX][96]; // what was wrong, in words
    size_t problem_count;                   // may exceed SMBIOS_PROBLEMS_MAX
};

// Looks for the tables. `entry` 0: search 0xF0000 to 0xFFFFF (5.2). A 64-bit entry point is
// preferred where both are sound. Reads memory through `phys` only; every length and checksum is
// checked, at most 64 KiB and 1024 structures are looked at. Finding nothing is no problem; a lie
// is.
void smbios_parse(struct smbios *smbios, const struct phys *phys, uint64_t entry);
