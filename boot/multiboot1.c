// Multiboot 1: the information structure. Multiboot Specification 0.6.96, section 3.3.
#include "boot/doors.h"

struct __attribute__((packed)) information {
    uint32_t flags;
    uint32_t mem_lower_kib, mem_upper_kib;
    uint32_t boot_device;
    uint32_t cmdline;
    uint32_t mods_count, mods_addr;
    uint32_t syms[4];
    uint32_t mmap_length, mmap_addr;
    uint32_t drives_length, drives_addr;
    uint32_t config_table;
    uint32_t boot_loader_name;
};
#define FLAG_MEMORY  (1u << 0)
#define FLAG_CMDLINE (1u << 2)
#define FLAG_MMAP    (1u << 6)
#define FLAG_LOADER  (1u << 9)

struct __attribute__((packed)) map_entry {
    uint32_t size; // of the rest of the entry
    uint64_t base, length;
    uint32_t type;
};
#define MAP_ENTRY_REST (sizeof(struct map_entry) - sizeof(uint32_t))

_Static_assert(sizeof(struct information) == 68 && sizeof(struct map_entry) == 24,
               "fixed by the specification");

static void parse_map(struct boot_info *boot, const struct phys *phys, uint64_t address,
                      uint64_t length)
{
    for (unsigned i = 0; length >= sizeof(struct map_entry); i++) {
        const struct map_entry *entry = phys_view(phys, address, sizeof(*entry));
        if (!entry || entry->size < MAP_ENTRY_REST || entry->size > length - sizeof(uint32_t)) {
            boot_note(boot, "memory map: the entry at 0x%llx is cut off",
                      (unsigned long long)address);
            return;
        }
        if (!boot_add_region(boot, i, entry->base, entry->length, entry->type))
            return;
        address += entry->size + sizeof(uint32_t);
        length -= entry->size + sizeof(uint32_t);
    }
}

void multiboot1_parse(struct boot_info *boot, const struct phys *phys, uint64_t address)
{
    const struct information *information = phys_view(phys, address, sizeof(*information));

    boot->protocol = BOOT_MULTIBOOT1;
    if (!information) {
        boot_note(boot, "the Multiboot information at 0x%llx cannot be read",
                  (unsigned long long)address);
        return;
    }
    if (information->flags & FLAG_CMDLINE)
        boot_copy_string(boot, phys, information->cmdline, "command line", boot->cmdline,
                         sizeof(boot->cmdline));
    if (information->flags & FLAG_LOADER)
        boot_copy_string(boot, phys, information->boot_loader_name, "loader's name", boot->loader,
                         sizeof(boot->loader));
    if (information->flags & FLAG_MMAP) {
        parse_map(boot, phys, information->mmap_addr, information->mmap_length);
    } else if (information->flags & FLAG_MEMORY) {
        boot_add_region(boot, 0, 0, (uint64_t)information->mem_lower_kib << 10, MEMORY_RAM);
        boot_add_region(boot, 1, 1u << 20, (uint64_t)information->mem_upper_kib << 10, MEMORY_RAM);
    }
}
