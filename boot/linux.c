// The Linux boot protocol: boot_params, the "zero page". Linux Documentation/arch/x86/boot.rst and
// zero-page.rst.
#include "boot/doors.h"

#define SCREEN_INFO      0x000
#define RSDP_ADDRESS     0x070
#define EXT_CMDLINE_HIGH 0x0c8
#define ALT_MEM_KIB      0x1e0
#define E820_ENTRIES     0x1e8
#define CMDLINE_LOW      0x228
#define E820_TABLE       0x2d0
#define E820_ENTRIES_MAX 128
#define BOOT_PARAMS_SIZE 4096

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

_Static_assert(sizeof(struct screen_info) == 62 && sizeof(struct e820_entry) == 20,
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

void linux_parse(struct boot_info *boot, const struct phys *phys, uint64_t address,
                 enum boot_protocol protocol)
{
    const uint8_t *params = phys_view(phys, address, BOOT_PARAMS_SIZE);

    boot->protocol = protocol;
    if (!params) {
        boot_note(boot, "Linux's boot_params at 0x%llx cannot be read",
                  (unsigned long long)address);
        return;
    }
    uint64_t cmdline = *(const uint32_t *)(params + CMDLINE_LOW) |
                       (uint64_t) * (const uint32_t *)(params + EXT_CMDLINE_HIGH) << 32;
    if (cmdline)
        boot_copy_string(boot, phys, cmdline, "command line", boot->cmdline, sizeof(boot->cmdline));
    boot->rsdp = *(const uint64_t *)(params + RSDP_ADDRESS);
    parse_screen(boot, (const struct screen_info *)(params + SCREEN_INFO));
    unsigned entries = params[E820_ENTRIES];
    if (entries > E820_ENTRIES_MAX) {
        boot_note(boot, "memory map: %u entries of at most %u", entries, E820_ENTRIES_MAX);
        entries = E820_ENTRIES_MAX;
    }
    const struct e820_entry *map = (const struct e820_entry *)(params + E820_TABLE);
    for (unsigned i = 0; i < entries; i++)
        if (!boot_add_region(boot, i, map[i].base, map[i].length, map[i].type))
            return;
    if (entries == 0) // what the setup code found by INT 15h AH=88h or E801h
        boot_add_region(boot, 0, 1u << 20,
                        (uint64_t) * (const uint32_t *)(params + ALT_MEM_KIB) << 10, MEMORY_RAM);
}
