// Guest-physical memory, as far as anybody looks at it: the BIOS areas and the ACPI tables.
#include "tests/sim/model.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BIOS_DATA   0x400u
#define EBDA        0x9fc00u
#define BIOS_ROM    0xe0000u
#define VGA_WINDOW  0xa0000u
#define OPTION_ROMS 0xc0000u
#define DEVICES     0xc0000000u

static uint8_t bios_data[0x100], ebda[0x400], bios_rom[0x20000];

static void add(struct memory_block block)
{
    assert(sim.memory_count < MEMORY_BLOCKS_MAX);
    sim.memory[sim.memory_count++] = block;
}

uint8_t *memory_add(uint64_t address, uint64_t length)
{
    // Exactly so long, that the sanitizer sees a read past the end.
    uint8_t *bytes = calloc(1, length);

    assert(bytes);
    add((struct memory_block){address, length, bytes, true});
    return bytes;
}

uint8_t *memory_at(uint64_t address, uint64_t length)
{
    for (size_t i = 0; i < sim.memory_count; i++) {
        const struct memory_block *block = &sim.memory[i];
        uint64_t offset = address - block->address;
        if (offset < block->length && length <= block->length - offset)
            return block->bytes + offset;
    }
    return NULL;
}

void memory_reset(void)
{
    for (size_t i = 0; i < sim.memory_count; i++)
        if (sim.memory[i].allocated)
            free(sim.memory[i].bytes);
    sim.memory_count = 0;
    memset(bios_data, 0, sizeof(bios_data));
    memset(ebda, 0, sizeof(ebda));
    // Of the ROM only what acpi.c and firmware.c wrote last time needs clearing.
    if (sim.rsdp >= BIOS_ROM && sim.rsdp < BIOS_ROM + sizeof(bios_rom))
        memset(bios_rom + (sim.rsdp - BIOS_ROM), 0, 36);
    memset(bios_rom + (SIM_SMBIOS - BIOS_ROM), 0, SIM_SMBIOS_LENGTH);
    add((struct memory_block){BIOS_DATA, sizeof(bios_data), bios_data, false});
    add((struct memory_block){EBDA, sizeof(ebda), ebda, false});
    add((struct memory_block){BIOS_ROM, sizeof(bios_rom), bios_rom, false});
    bios_data[0x0e] = EBDA >> 4 & 0xff; // segment of the EBDA
    bios_data[0x0f] = EBDA >> 12;
    if (sim.config->com1.present)
        memcpy(bios_data, "\xf8\x03", 2);
    if (sim.config->com2.present)
        memcpy(bios_data + 2, "\xf8\x02", 2);
    if (sim.config->screen)
        bios_data[0x49] = 3; // video mode: 80 by 25 text
}

static const void *view(void *context, uint64_t address, uint64_t length)
{
    (void)context;
    uint64_t end = address + length;
    bool vga = address < OPTION_ROMS && end > VGA_WINDOW && end > address;
    bool devices = end > DEVICES && address < 0x100000000u;

    // Whether it is mapped may be asked of a framebuffer; read it nobody does.
    if (mmio_is_framebuffer(address, length))
        return sim_framebuffer + (address - sim.config->framebuffer.address);
    if (vga || devices)
        sim_violation("device memory read as if it were RAM", address, length);
    return memory_at(address, length);
}

const struct phys machine_phys = {view, NULL};
