// Any bytes as memory, with what a loader left in it: each door's parser, the page tables made from
// what it found, and the ACPI tables behind the RSDP that it was given.
//
// The first byte of the input names the door, the second how far into memory the information lies;
// the rest is memory. tests/fuzz/boot_seeds.py makes inputs to begin with.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "boot/doors.h"
#include "lib/acpi.h"

#define BASE 0x1000u // of the memory; boot_seeds.py has it, too

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct memory {
    uint8_t *bytes; // exactly so many, on the heap: AddressSanitizer sees a read beyond
    size_t size;
};

static const void *view(void *context, uint64_t address, uint64_t length)
{
    const struct memory *memory = context;

    if (address < BASE || address - BASE > memory->size || length > memory->size - (address - BASE))
        return NULL;
    return memory->bytes + (address - BASE);
}

static void parse(struct boot_info *boot, const struct phys *phys, uint8_t door, uint64_t address)
{
    switch (door % 4) {
    case 0:
        multiboot1_parse(boot, phys, address);
        break;
    case 1:
        multiboot2_parse(boot, phys, address);
        break;
    case 2:
        pvh_parse(boot, phys, address);
        break;
    default:
        linux_parse(boot, phys, address, BOOT_LINUX64);
    }
}

static void check(const struct boot_info *boot)
{
    assert(boot->protocol != BOOT_UNKNOWN);
    assert(memchr(boot->cmdline, '\0', sizeof(boot->cmdline)));
    assert(memchr(boot->loader, '\0', sizeof(boot->loader)));
    assert(boot->region_count <= BOOT_REGIONS_MAX);
    for (size_t i = 0; i < boot->region_count; i++) {
        assert(boot->regions[i].length);
        assert(boot->regions[i].base + boot->regions[i].length >= boot->regions[i].base);
    }
    for (size_t i = 0; i < boot->note_count && i < BOOT_NOTES_MAX; i++)
        assert(boot->notes[i][0] && memchr(boot->notes[i], '\0', BOOT_NOTE_MAX));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct paging_image image = {0x120000, 0x140000, 0x260000, 0x150000};
    static struct boot_info boot;
    static struct acpi_tables tables;

    if (size < 3)
        return 0;
    struct memory memory = {.bytes = malloc(size - 2), .size = size - 2};
    const struct phys phys = {view, &memory};
    assert(memory.bytes);
    memcpy(memory.bytes, data + 2, size - 2);
    memset(&boot, 0, sizeof(boot));
    parse(&boot, &phys, data[0], BASE + data[1]);
    boot_check_regions(&boot);
    check(&boot);

    // The other bits of the first byte are the CPU's.
    paging_start(&image, (struct paging_cpu){.address_bits = data[0] & 0x80 ? 48 : 40,
                                             .five_levels = data[0] & 0x40,
                                             .giant = data[0] & 0x20,
                                             .no_execute = data[0] & 0x10});
    paging_add(&boot);
    check(&boot);
    acpi_parse(&tables, &phys, boot.rsdp);
    assert(tables.table_count <= ACPI_TABLES_MAX);
    free(memory.bytes);
    return 0;
}
