// The Linux boot protocol: boot_params, the "zero page". Linux Documentation/arch/x86/boot.rst and
// zero-page.rst.
#include "boot/doors.h"

#define E820_ENTRIES_MAX 128

struct __attribute__((packed)) e820_entry {
    uint64_t base, length;
    uint32_t type;
};

// include/uapi/linux/screen_info.h
struct __attribute__((packed)) screen_info {
    uint8_t text[15]; // the cursor, the mode, the size in characters
    uint8_t kind;
    uint16_t font_height, width, height, bits;
    uint32_t base, size;
    uint16_t command_line_magic, command_line_offset, pitch;
    uint8_t red_size, red_position, green_size, green_position, blue_size, blue_position;
    uint8_t reserved_size, reserved_position;
    uint16_t window_segment, window_offset, pages, attributes;
    uint32_t capabilities, base_high;
};
#define KIND_VESA      0x23 // VIDEO_TYPE_VLFB: a linear framebuffer
#define KIND_EFI       0x70
#define BASE_IS_64_BIT 2

// The zero page, as far as anything in it is wanted here. Packed: it may lie at an odd address.
struct __attribute__((packed)) boot_params {
    struct screen_info screen;
    uint8_t unused_03e[0x070 - 0x03e];
    uint64_t rsdp;
    uint8_t unused_078[0x0c8 - 0x078];
    uint32_t cmdline_high;
    uint8_t unused_0cc[0x1e0 - 0x0cc];
    uint32_t alt_mem_kib; // what the setup code found by INT 15h AH=88h or E801h
    uint8_t unused_1e4[0x1e8 - 0x1e4];
    uint8_t e820_entries;
    uint8_t unused_1e9[0x228 - 0x1e9];
    uint32_t cmdline;
    uint8_t unused_22c[0x250 - 0x22c];
    uint64_t setup_data; // the first of a chain, 0: none
    uint8_t unused_258[0x2d0 - 0x258];
    struct e820_entry map[E820_ENTRIES_MAX];
    uint8_t unused_cd0[0x1000 - 0xcd0];
};

// include/uapi/asm/setup_data.h. A chain longer than any loader makes is a loop.
struct __attribute__((packed)) setup_data {
    uint64_t next;
    uint32_t type, length; // of what follows
};
#define SETUP_ENTRIES_MAX 32
#define SETUP_JAILHOUSE   6

// The beginning of struct jailhouse_setup_data.
struct __attribute__((packed)) jailhouse_data {
    uint16_t version, compatible_version;
    uint16_t pm_timer_port, cpus;
    uint64_t pci_config;
    uint32_t tsc_khz, apic_khz;
};
#define JAILHOUSE_VERSION 1 // that all others are compatible with, so far

_Static_assert(sizeof(struct screen_info) == 62 && sizeof(struct e820_entry) == 20 &&
                   sizeof(struct boot_params) == 4096,
               "fixed by the protocol");

static void parse_screen(struct boot_info *boot, const struct screen_info *screen)
{
    if (screen->kind != KIND_VESA && screen->kind != KIND_EFI)
        return;
    boot->framebuffer = (struct framebuffer){
        .address = screen->base |
                   (screen->capabilities & BASE_IS_64_BIT ? (uint64_t)screen->base_high << 32 : 0),
        .pitch = screen->pitch,
        .width = screen->width,
        .height = screen->height,
        .bits = (uint8_t)screen->bits,
        .red = {screen->red_position, screen->red_size},
        .green = {screen->green_position, screen->green_size},
        .blue = {screen->blue_position, screen->blue_size},
    };
}

static void parse_jailhouse(struct boot_info *boot, const struct phys *phys, uint64_t address,
                            uint32_t length)
{
    const struct jailhouse_data *data =
        length < sizeof(*data) ? NULL : phys_view(phys, address, sizeof(*data));

    if (!data || data->compatible_version != JAILHOUSE_VERSION) {
        boot_note(boot, "Jailhouse's setup data at 0x%llx: %s", (unsigned long long)address,
                  data ? "of an unknown version" : "too short, or cannot be read");
        return;
    }
    boot->jailhouse = (struct jailhouse_setup){true, data->tsc_khz, data->apic_khz};
}

static void parse_setup_data(struct boot_info *boot, const struct phys *phys, uint64_t address)
{
    for (unsigned i = 0; address; i++) {
        const struct setup_data *data = phys_view(phys, address, sizeof(*data));
        if (!data || i == SETUP_ENTRIES_MAX) {
            boot_note(boot, "setup data at 0x%llx: %s", (unsigned long long)address,
                      data ? "the chain is too long" : "cannot be read");
            return;
        }
        if (data->type == SETUP_JAILHOUSE)
            parse_jailhouse(boot, phys, address + sizeof(*data), data->length);
        address = data->next;
    }
}

void linux_parse(struct boot_info *boot, const struct phys *phys, uint64_t address,
                 enum boot_protocol protocol)
{
    const struct boot_params *params = phys_view(phys, address, sizeof(*params));

    boot->protocol = protocol;
    if (!params) {
        boot_note(boot, "Linux's boot_params at 0x%llx cannot be read",
                  (unsigned long long)address);
        return;
    }
    uint64_t cmdline = params->cmdline | (uint64_t)params->cmdline_high << 32;
    if (cmdline)
        boot_copy_string(boot, phys, cmdline, "command line", boot->cmdline, sizeof(boot->cmdline));
    boot->rsdp = params->rsdp;
    parse_screen(boot, &params->screen);
    parse_setup_data(boot, phys, params->setup_data);
    unsigned entries = params->e820_entries;
    if (entries > E820_ENTRIES_MAX) {
        boot_note(boot, "memory map: %u entries of at most %u", entries, E820_ENTRIES_MAX);
        entries = E820_ENTRIES_MAX;
    }
    for (unsigned i = 0; i < entries; i++) {
        const struct e820_entry *entry = &params->map[i];
        if (!boot_add_region(boot, i, entry->base, entry->length, entry->type))
            return;
    }
    if (entries == 0)
        boot_add_region(boot, 0, 1u << 20, (uint64_t)params->alt_mem_kib << 10, MEMORY_RAM);
}
