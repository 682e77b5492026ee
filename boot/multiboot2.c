// Multiboot 2: the information structure. Multiboot 2 Specification 2.0, section 3.6.
#include "boot/doors.h"

#include "lib/text.h"

// Nothing keeps a loader from putting them at odd addresses: hence packed.
struct __attribute__((packed)) tag {
    uint32_t type;
    uint32_t size; // with this head, without the padding to 8 bytes
};

enum {
    TAG_END = 0,
    TAG_CMDLINE = 1,
    TAG_LOADER = 2,
    TAG_MEMORY = 4,
    TAG_MAP = 6,
    TAG_FRAMEBUFFER = 8,
    TAG_EFI64 = 12,
    TAG_RSDP_1 = 14, // a copy of the table itself
    TAG_RSDP_2 = 15,
    TAG_EFI_MAP = 17,
    TAG_ALIVE = 18, // boot services were, at the entry
};

struct __attribute__((packed)) memory_tag {
    struct tag tag;
    uint32_t lower_kib, upper_kib;
};

struct __attribute__((packed)) map_tag {
    struct tag tag;
    uint32_t entry_size, version;
};

struct __attribute__((packed)) map_entry {
    uint64_t base, length;
    uint32_t type, reserved;
};

// UEFI 2.10, section 7.2.3.
struct __attribute__((packed)) efi_entry {
    uint32_t type, padding;
    uint64_t base, virtual_base, pages, attributes;
};

struct __attribute__((packed)) efi64_tag {
    struct tag tag;
    uint64_t system_table;
};

// Of EFI's system table what is used here, at EFI_TABLES: UEFI 2.10, section 4.3.1. The tables are
// those of section 4.6.
struct __attribute__((packed)) efi_tables {
    uint64_t count, address;
};
#define EFI_TABLES     104
#define EFI_TABLES_MAX 1024 // far more than any firmware has
struct __attribute__((packed)) efi_table {
    uint8_t guid[16];
    uint64_t address;
};

struct __attribute__((packed)) framebuffer_tag {
    struct tag tag;
    uint64_t address;
    uint32_t pitch, width, height;
    uint8_t bits, type;
    uint16_t reserved;
    uint8_t red_position, red_size, green_position, green_size, blue_position, blue_size;
};
#define FRAMEBUFFER_DIRECT 1

_Static_assert(sizeof(struct map_entry) == 24 && sizeof(struct framebuffer_tag) == 38,
               "fixed by the specification");

#define RSDP_1_BYTES 20 // ACPI 6.5, section 5.2.5.3

// A bound on the tags: the specification names 22 kinds.
#define TAGS_MAX 64

static void parse_map(struct boot_info *boot, const struct phys *phys, uint64_t address,
                      uint32_t size)
{
    const struct map_tag *map = phys_view(phys, address, sizeof(*map));

    if (!map || size < sizeof(*map) || map->entry_size < sizeof(struct map_entry)) {
        boot_note(boot, "memory map: the Multiboot tag at 0x%llx is too short",
                  (unsigned long long)address);
        return;
    }
    uint32_t left = size - (uint32_t)sizeof(*map);
    address += sizeof(*map);
    for (unsigned i = 0; left >= map->entry_size; i++, left -= map->entry_size) {
        const struct map_entry *entry = phys_view(phys, address, sizeof(*entry));
        if (!entry) {
            boot_note(boot, "memory map: the entry at 0x%llx cannot be read",
                      (unsigned long long)address);
            return;
        }
        if (!boot_add_region(boot, i, entry->base, entry->length, entry->type))
            return;
        address += map->entry_size;
    }
}

// Multiboot's own map says the same, in fewer entries, but is not there if boot services were
// alive.
static void parse_efi_map(struct boot_info *boot, const struct phys *phys, uint64_t address,
                          uint32_t size)
{
    const struct map_tag *map = phys_view(phys, address, sizeof(*map));

    if (!map || size < sizeof(*map) || map->entry_size < sizeof(struct efi_entry))
        return;
    uint32_t left = size - (uint32_t)sizeof(*map);
    address += sizeof(*map);
    for (; left >= map->entry_size; left -= map->entry_size, address += map->entry_size) {
        const struct efi_entry *entry = phys_view(phys, address, sizeof(*entry));
        if (!entry || !boot_add_efi_region(boot, entry->type, entry->base, entry->pages))
            return;
    }
}

// No tag of GRUB's leads to the SMBIOS tables, and under UEFI no search finds them.
static void find_smbios(struct boot_info *boot, const struct phys *phys, uint64_t system_table)
{
    static const uint8_t guids[][16] = {
        // SMBIOS_TABLE_GUID, SMBIOS3_TABLE_GUID: the newer one counts
        {0x31, 0x2d, 0x9d, 0xeb, 0x88, 0x2d, 0xd3, 0x11, 0x9a, 0x16, 0, 0x90, 0x27, 0x3f, 0xc1,
         0x4d},
        {0x44, 0x15, 0xfd, 0xf2, 0x94, 0x97, 0x2c, 0x4a, 0x99, 0x2e, 0xe5, 0xbb, 0xcf, 0x20, 0xe3,
         0x94},
    };
    const struct efi_tables *tables = phys_view(phys, system_table + EFI_TABLES, sizeof(*tables));
    uint64_t found[ARRAY_SIZE(guids)] = {0};
    uint64_t count = tables && tables->count <= EFI_TABLES_MAX ? tables->count : 0;

    for (uint64_t i = 0; i < count; i++) {
        const struct efi_table *entry =
            phys_view(phys, tables->address + i * sizeof(*entry), sizeof(*entry));
        for (size_t j = 0; entry && j < ARRAY_SIZE(guids); j++)
            if (memcmp(entry->guid, guids[j], sizeof(guids[j])) == 0)
                found[j] = entry->address;
        if (!entry)
            count = 0;
    }
    if (!count)
        boot_note(boot, "the EFI configuration table cannot be read");
    boot->smbios = found[1] ? found[1] : found[0];
}

static void parse_framebuffer(struct boot_info *boot, const struct framebuffer_tag *tag)
{
    if (tag->type != FRAMEBUFFER_DIRECT)
        return; // a palette, or VGA text, which needs no description
    boot->framebuffer = (struct framebuffer){
        .address = tag->address,
        .pitch = tag->pitch,
        .width = tag->width,
        .height = tag->height,
        .bits = tag->bits,
        .red = {tag->red_position, tag->red_size},
        .green = {tag->green_position, tag->green_size},
        .blue = {tag->blue_position, tag->blue_size},
    };
}

static void parse_tag(struct boot_info *boot, const struct phys *phys, const struct tag *tag,
                      uint64_t address)
{
    const struct memory_tag *memory = phys_view(phys, address, sizeof(*memory));
    const struct framebuffer_tag *screen = phys_view(phys, address, sizeof(*screen));
    uint64_t body = address + sizeof(*tag);

    switch (tag->type) {
    case TAG_CMDLINE:
        boot_copy_string(boot, phys, body, "command line", boot->cmdline, sizeof(boot->cmdline));
        break;
    case TAG_LOADER:
        boot_copy_string(boot, phys, body, "loader's name", boot->loader, sizeof(boot->loader));
        break;
    case TAG_MEMORY:
        // The map says more, and comes later or not at all.
        if (memory && tag->size >= sizeof(*memory) && boot->region_count == 0) {
            boot_add_region(boot, 0, 0, (uint64_t)memory->lower_kib << 10, MEMORY_RAM);
            boot_add_region(boot, 1, 1u << 20, (uint64_t)memory->upper_kib << 10, MEMORY_RAM);
        }
        break;
    case TAG_MAP:
        boot->region_count = 0;
        parse_map(boot, phys, address, tag->size);
        break;
    case TAG_FRAMEBUFFER:
        if (screen && tag->size >= sizeof(*screen))
            parse_framebuffer(boot, screen);
        break;
    case TAG_RSDP_1:
    case TAG_RSDP_2:
        // The newer one counts, whichever comes first.
        if (tag->size >= sizeof(*tag) + RSDP_1_BYTES &&
            (tag->type == TAG_RSDP_2 || boot->rsdp == 0))
            boot->rsdp = body;
        break;
    default:
        break;
    }
}

// What the tags say about EFI: addresses, 0 where there is no such tag.
struct efi_said {
    uint64_t system_table, map;
    uint32_t map_size;
    bool alive; // boot services were, at the entry
};

static void parse_efi(struct boot_info *boot, const struct phys *phys, const struct efi_said *efi,
                      bool have_map)
{
    if (efi->map && !have_map) {
        boot->region_count = 0;
        parse_efi_map(boot, phys, efi->map, efi->map_size);
    }
    if (efi->system_table)
        find_smbios(boot, phys, efi->system_table);
    // boot/stub/efi.c added the map when it had left boot services.
    if (efi->alive && efi->map)
        boot->efi_system_table = efi->system_table;
    else if (efi->alive)
        boot_note(boot, "UEFI's boot services could not be left");
}

void multiboot2_parse(struct boot_info *boot, const struct phys *phys, uint64_t address)
{
    const struct tag *head = phys_view(phys, address, sizeof(*head)); // the total size, reserved

    boot->protocol = BOOT_MULTIBOOT2;
    if (!head) {
        boot_note(boot, "the Multiboot 2 information at 0x%llx cannot be read",
                  (unsigned long long)address);
        return;
    }
    uint64_t end = address + head->type;
    uint64_t at = address + sizeof(*head);
    struct efi_said efi = {0};
    bool have_map = false;
    for (unsigned i = 0; i < TAGS_MAX; i++) {
        const struct tag *tag = phys_view(phys, at, sizeof(*tag));
        if (!tag || at + sizeof(*tag) > end || tag->size < sizeof(*tag) || tag->size > end - at)
            break;
        if (tag->type == TAG_END) {
            parse_efi(boot, phys, &efi, have_map);
            return;
        }
        if (tag->type == TAG_EFI_MAP) {
            efi.map = at;
            efi.map_size = tag->size;
        } else if (tag->type == TAG_EFI64) {
            const struct efi64_tag *table = phys_view(phys, at, sizeof(*table));
            efi.system_table = table && tag->size >= sizeof(*table) ? table->system_table : 0;
        } else {
            have_map |= tag->type == TAG_MAP;
            efi.alive |= tag->type == TAG_ALIVE;
            parse_tag(boot, phys, tag, at);
        }
        at += (tag->size + 7ull) & ~7ull;
    }
    boot_note(boot, "the Multiboot 2 information is cut off at its tag at 0x%llx",
              (unsigned long long)at);
}
