#include "lib/vmi.h"

#include "lib/acpi_table.h"
#include "lib/text.h"

#define SEARCH_START     0xc0000u
#define SEARCH_END       0xe0000u
#define SEARCH_ALIGNMENT 2048u

#define ROM_SIGNATURE   0xaa55u
#define ROM_LENGTH_UNIT 512u
#define VMI_SIGNATURE   0x696d5663u // "cVmi"

#define OFFSET_LENGTH      2
#define OFFSET_VMI         8
#define OFFSET_API_MINOR   12
#define OFFSET_API_MAJOR   13
#define OFFSET_SLOTS       14
#define OFFSET_VIRTUAL_TOP 16
#define HEADER_SIZE        28

void vmi_find(struct vmi_rom *rom, const struct phys *phys)
{
    memset(rom, 0, sizeof(*rom));
    for (uint64_t at = SEARCH_START; at < SEARCH_END; at += SEARCH_ALIGNMENT) {
        const uint8_t *header = phys_view(phys, at, HEADER_SIZE);
        if (!header || acpi_read16(header) != ROM_SIGNATURE ||
            acpi_read32(header + OFFSET_VMI) != VMI_SIGNATURE)
            continue;
        rom->address = at;
        rom->length = header[OFFSET_LENGTH] * ROM_LENGTH_UNIT;
        rom->api_major = header[OFFSET_API_MAJOR];
        rom->api_minor = header[OFFSET_API_MINOR];
        rom->slots = header[OFFSET_SLOTS];
        rom->virtual_top = acpi_read32(header + OFFSET_VIRTUAL_TOP);
        const uint8_t *whole = phys_view(phys, at, rom->length);
        rom->sums_to_zero = whole && acpi_sums_to_zero(whole, rom->length);
        return;
    }
}
