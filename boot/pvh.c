// PVH: the start information. Xen public/arch-x86/hvm/start_info.h.
#include "boot/doors.h"

struct __attribute__((packed)) start_info {
    uint32_t magic, version, flags, nr_modules;
    uint64_t modlist_paddr, cmdline_paddr, rsdp_paddr;
};

// Since version 1.
struct __attribute__((packed)) start_info_map {
    uint64_t memmap_paddr;
    uint32_t memmap_entries, reserved;
};

struct __attribute__((packed)) map_entry {
    uint64_t base, length;
    uint32_t type, reserved;
};

_Static_assert(sizeof(struct start_info) == 40 && sizeof(struct start_info_map) == 16 &&
                   sizeof(struct map_entry) == 24,
               "fixed by the specification");

static void parse_map(struct boot_info *boot, const struct phys *phys, uint64_t address)
{
    const struct start_info_map *map = phys_view(phys, address, sizeof(*map));

    if (!map) {
        boot_note(boot, "the PVH start information is cut off before its memory map");
        return;
    }
    for (uint32_t i = 0; i < map->memmap_entries; i++) {
        const struct map_entry *entry =
            phys_view(phys, map->memmap_paddr + i * sizeof(*entry), sizeof(*entry));
        if (!entry) {
            boot_note(boot, "memory map: entry %u of %u cannot be read", i, map->memmap_entries);
            return;
        }
        if (!boot_add_region(boot, i, entry->base, entry->length, entry->type))
            return;
    }
}

void pvh_parse(struct boot_info *boot, const struct phys *phys, uint64_t address)
{
    const struct start_info *info = phys_view(phys, address, sizeof(*info));

    boot->protocol = BOOT_PVH;
    if (!info) {
        boot_note(boot, "the PVH start information at 0x%llx cannot be read",
                  (unsigned long long)address);
        return;
    }
    if (info->cmdline_paddr)
        boot_copy_string(boot, phys, info->cmdline_paddr, "command line", boot->cmdline,
                         sizeof(boot->cmdline));
    boot->rsdp = info->rsdp_paddr;
    if (info->version >= 1)
        parse_map(boot, phys, address + sizeof(*info));
}
