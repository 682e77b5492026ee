// The boot doors' parsers on memory that is what the test says, lies included.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "boot/collect.c"
#include "boot/multiboot1.c"
// Three parsers have their own map_entry and parse_map.
#define map_entry pvh_map_entry
#define parse_map pvh_parse_map
#include "boot/pvh.c"
#undef map_entry
#undef parse_map
#define map_entry multiboot2_map_entry
#define parse_map multiboot2_parse_map
#include "boot/multiboot2.c"
#undef map_entry
#undef parse_map
#include "boot/linux.c"

#define MEMORY_BASE 0x1000
#define MEMORY_SIZE 0x4000

static uint8_t memory[MEMORY_SIZE];
static struct boot_info boot;
static unsigned views; // that the parser asked for

static const void *view(void *context, uint64_t address, uint64_t length)
{
    (void)context;
    views++;
    if (address < MEMORY_BASE || address - MEMORY_BASE > MEMORY_SIZE ||
        length > MEMORY_SIZE - (address - MEMORY_BASE))
        return NULL;
    return memory + (address - MEMORY_BASE);
}

static const struct phys phys = {view, NULL};

static void put(uint64_t address, const void *bytes, size_t length)
{
    assert_non_null(view(NULL, address, length));
    memcpy(memory + (address - MEMORY_BASE), bytes, length);
}

static int setup(void **state)
{
    (void)state;
    memset(memory, 0, sizeof(memory));
    memset(&boot, 0, sizeof(boot));
    views = 0;
    return 0;
}

static void put_information(struct information information)
{
    put(0x1000, &information, sizeof(information));
}

static void test_multiboot(void **state)
{
    const struct map_entry map[] = {{20, 0, 0x9fc00, MEMORY_RAM},
                                    {20, 0x100000, 0x7f00000, MEMORY_RAM},
                                    {20, 0xfffc0000, 0x40000, MEMORY_RESERVED}};

    (void)state;
    put(0x2000, map, sizeof(map));
    put(0x3000, "kernel window=10ms", 19);
    put(0x3100, "qemu", 5);
    put_information((struct information){.flags = FLAG_CMDLINE | FLAG_MMAP | FLAG_LOADER,
                                         .cmdline = 0x3000,
                                         .mmap_length = sizeof(map),
                                         .mmap_addr = 0x2000,
                                         .boot_loader_name = 0x3100});
    multiboot1_parse(&boot, &phys, 0x1000);
    assert_int_equal(boot.protocol, BOOT_MULTIBOOT1);
    assert_string_equal(boot.cmdline, "kernel window=10ms");
    assert_string_equal(boot.loader, "qemu");
    assert_int_equal(boot.region_count, 3);
    assert_int_equal(boot.regions[1].base, 0x100000);
    assert_int_equal(boot.regions[2].type, MEMORY_RESERVED);
    assert_int_equal(boot.note_count, 0);
}

static void test_multiboot_without_a_map(void **state)
{
    (void)state;
    put_information(
        (struct information){.flags = FLAG_MEMORY, .mem_lower_kib = 640, .mem_upper_kib = 65536});
    multiboot1_parse(&boot, &phys, 0x1000);
    assert_int_equal(boot.region_count, 2);
    assert_int_equal(boot.regions[1].length, 65536ull << 10);
    assert_string_equal(boot.cmdline, "");
}

static void test_multiboot_lies(void **state)
{
    const struct map_entry wraps = {20, UINT64_MAX - 10, 100, MEMORY_RAM};
    const struct map_entry short_entry = {8, 0, 1, MEMORY_RAM};

    (void)state;
    multiboot1_parse(&boot, &phys, 0x900);
    assert_int_equal(boot.note_count, 1);

    setup(state);
    put(0x2000, &wraps, sizeof(wraps));
    put(0x2000 + sizeof(wraps), &short_entry, sizeof(short_entry));
    put_information((struct information){.flags = FLAG_MMAP | FLAG_CMDLINE | FLAG_LOADER,
                                         .cmdline = 0xfffffff0,
                                         .boot_loader_name = 0x4ffe,
                                         .mmap_length = 0xfffffff0,
                                         .mmap_addr = 0x2000});
    memset(memory + 0x3ffe, 'x', 2);
    multiboot1_parse(&boot, &phys, 0x1000);
    assert_int_equal(boot.region_count, 0);
    // The command line, the loader's name, the entry that wraps and the one that is too short.
    assert_int_equal(boot.note_count, 4);
    assert_string_equal(boot.loader, "xx");

    // An entry that says it is longer than the map.
    setup(state);
    put(0x2000, &(struct map_entry){40, 0, 1, MEMORY_RAM}, sizeof(struct map_entry));
    put_information((struct information){
        .flags = FLAG_MMAP, .mmap_length = sizeof(struct map_entry), .mmap_addr = 0x2000});
    multiboot1_parse(&boot, &phys, 0x1000);
    assert_int_equal(boot.region_count, 0);
    assert_int_equal(boot.note_count, 1);
    assert_non_null(strstr(boot.notes[0], "cut off"));
}

static void test_command_line_without_end(void **state)
{
    (void)state;
    memset(memory + 0x1000, 'a', 0x2fff);
    put_information((struct information){.flags = FLAG_CMDLINE, .cmdline = 0x2000});
    multiboot1_parse(&boot, &phys, 0x1000);
    assert_int_equal(strlen(boot.cmdline), BOOT_CMDLINE_MAX - 1);
    assert_int_equal(boot.note_count, 1);
    assert_non_null(strstr(boot.notes[0], "longer"));
}

static void test_pvh(void **state)
{
    const struct start_info info = {0x336ec578, 1, 0, 0, 0, 0x3000, 0xf5a10};
    const struct start_info_map map = {0x2000, 2, 0};
    const struct pvh_map_entry entries[] = {{0, 0xa0000, MEMORY_RAM, 0},
                                            {0x100000, 0x4000000, MEMORY_RAM, 0}};

    (void)state;
    put(0x1000, &info, sizeof(info));
    put(0x1000 + sizeof(info), &map, sizeof(map));
    put(0x2000, entries, sizeof(entries));
    put(0x3000, "window=1s", 10);
    pvh_parse(&boot, &phys, 0x1000);
    assert_int_equal(boot.protocol, BOOT_PVH);
    assert_string_equal(boot.cmdline, "window=1s");
    assert_int_equal(boot.rsdp, 0xf5a10);
    assert_int_equal(boot.region_count, 2);
    assert_int_equal(boot.note_count, 0);
}

static void test_pvh_lies(void **state)
{
    struct start_info info = {0x336ec578, 0, 0, 0, 0, 0, 0};
    const struct start_info_map map = {0x4ff0, UINT32_MAX, 0};

    (void)state;
    // Version 0 has no map: what lies there is not one.
    put(0x1000, &info, sizeof(info));
    put(0x1000 + sizeof(info), &map, sizeof(map));
    pvh_parse(&boot, &phys, 0x1000);
    assert_int_equal(boot.region_count, 0);
    assert_int_equal(boot.note_count, 0);

    info.version = 1;
    put(0x1000, &info, sizeof(info));
    pvh_parse(&boot, &phys, 0x1000);
    assert_int_equal(boot.note_count, 1);
    assert_non_null(strstr(boot.notes[0], "entry 0"));

    // Version 1, but memory ends after the members of version 0.
    setup(state);
    put(MEMORY_BASE + MEMORY_SIZE - sizeof(info), &info, sizeof(info));
    pvh_parse(&boot, &phys, MEMORY_BASE + MEMORY_SIZE - sizeof(info));
    assert_int_equal(boot.region_count, 0);
    assert_int_equal(boot.note_count, 1);
    assert_non_null(strstr(boot.notes[0], "cut off"));

    setup(state);
    pvh_parse(&boot, &phys, 0x900);
    assert_int_equal(boot.note_count, 1);
    assert_non_null(strstr(boot.notes[0], "cannot be read"));
}

// --- Multiboot 2

#define INFORMATION 0x1000

static uint64_t end_of_tags; // where the next one goes

// Begins the information anew.
static void begin_tags(void)
{
    end_of_tags = INFORMATION + sizeof(struct tag);
}

static void put_tag(uint32_t type, const void *body, size_t length)
{
    const struct tag tag = {type, (uint32_t)(sizeof(struct tag) + length)};

    put(end_of_tags, &tag, sizeof(tag));
    if (length)
        put(end_of_tags + sizeof(tag), body, length);
    end_of_tags += (tag.size + 7) & ~7u;
}

static void put_total(uint64_t bytes)
{
    put(INFORMATION, &(uint32_t){(uint32_t)bytes}, sizeof(uint32_t));
}

// Ends the information as it should be, and parses it.
static void parse_tags(void)
{
    put_tag(TAG_END, "", 0);
    put_total(end_of_tags - INFORMATION);
    multiboot2_parse(&boot, &phys, INFORMATION);
}

struct __attribute__((packed)) map_body {
    uint32_t entry_size, version;
    struct multiboot2_map_entry entries[2];
};
static const struct map_body two_regions = {
    sizeof(struct multiboot2_map_entry),
    0,
    {{0, 0x9fc00, MEMORY_RAM, 0}, {0x100000, 0x7f00000, MEMORY_RAM, 0}}};

static void test_multiboot2(void **state)
{
    (void)state;
    begin_tags();
    put_tag(TAG_CMDLINE, "window=10ms", 12);
    put_tag(TAG_LOADER, "GRUB", 5);
    put_tag(TAG_MEMORY, (uint32_t[]){640, 65536}, 8);
    put_tag(77, "unknown", 8);
    put_tag(TAG_MAP, &two_regions, sizeof(two_regions));
    parse_tags();
    assert_int_equal(boot.protocol, BOOT_MULTIBOOT2);
    assert_string_equal(boot.cmdline, "window=10ms");
    assert_string_equal(boot.loader, "GRUB");
    assert_int_equal(boot.region_count, 2);
    assert_int_equal(boot.regions[0].length, 0x9fc00);
    assert_int_equal(boot.regions[1].base, 0x100000);
    assert_int_equal(boot.rsdp, 0);
    assert_int_equal(boot.framebuffer.address, 0);
    assert_int_equal(boot.note_count, 0);
}

// The map says more than the two sizes, whichever comes first; they say something where it is not.
static void test_multiboot2_memory(void **state)
{
    (void)state;
    begin_tags();
    put_tag(TAG_MAP, &two_regions, sizeof(two_regions));
    put_tag(TAG_MEMORY, (uint32_t[]){1, 1}, 8);
    parse_tags();
    assert_int_equal(boot.region_count, 2);
    assert_int_equal(boot.regions[0].length, 0x9fc00);

    setup(state);
    begin_tags();
    put_tag(TAG_MEMORY, (uint32_t[]){640, 65536}, 8);
    parse_tags();
    assert_int_equal(boot.region_count, 2);
    assert_int_equal(boot.regions[1].length, 65536ull << 10);
}

static void test_multiboot2_framebuffer(void **state)
{
    struct framebuffer_tag screen = {.address = 0x80000000,
                                     .pitch = 4096,
                                     .width = 1024,
                                     .height = 768,
                                     .bits = 32,
                                     .type = FRAMEBUFFER_DIRECT,
                                     .red_position = 16,
                                     .red_size = 8,
                                     .blue_size = 7};
    const uint8_t *body = (const uint8_t *)&screen + sizeof(struct tag);
    size_t length = sizeof(screen) - sizeof(struct tag);

    (void)state;
    begin_tags();
    put_tag(TAG_FRAMEBUFFER, body, length);
    parse_tags();
    assert_int_equal(boot.framebuffer.address, 0x80000000);
    assert_int_equal(boot.framebuffer.pitch, 4096);
    assert_int_equal(boot.framebuffer.height, 768);
    assert_int_equal(boot.framebuffer.red.position, 16);
    assert_int_equal(boot.framebuffer.blue.size, 7);

    // A text screen is none; nor is one whose tag is too short for its colours.
    setup(state);
    begin_tags();
    put_tag(TAG_FRAMEBUFFER, body, length - 1);
    screen.type = 2;
    put_tag(TAG_FRAMEBUFFER, body, length);
    parse_tags();
    assert_int_equal(boot.framebuffer.address, 0);
}

// The newer RSDP counts, whichever comes first. Both are copies in their tags.
static void test_multiboot2_rsdp(void **state)
{
    const uint8_t rsdp[36] = "RSD PTR ";
    uint64_t newer;

    (void)state;
    begin_tags();
    put_tag(TAG_RSDP_1, rsdp, 20);
    newer = end_of_tags + sizeof(struct tag);
    put_tag(TAG_RSDP_2, rsdp, 36);
    parse_tags();
    assert_int_equal(boot.rsdp, newer);

    setup(state);
    begin_tags();
    newer = end_of_tags + sizeof(struct tag);
    put_tag(TAG_RSDP_2, rsdp, 36);
    put_tag(TAG_RSDP_1, rsdp, 20);
    parse_tags();
    assert_int_equal(boot.rsdp, newer);

    setup(state);
    begin_tags();
    put_tag(TAG_RSDP_1, rsdp, 20);
    put_tag(TAG_RSDP_2, rsdp, 19); // too short to be one
    parse_tags();
    assert_int_equal(boot.rsdp, INFORMATION + 2 * sizeof(struct tag));
}

// What is before the cut counts, and the cut is noted.
static void assert_cut_after_command_line(void)
{
    assert_string_equal(boot.cmdline, "window=10ms");
    assert_int_equal(boot.region_count, 0);
    assert_int_equal(boot.note_count, 1);
    assert_non_null(strstr(boot.notes[0], "cut off"));
}

static void test_multiboot2_cut(void **state)
{
    (void)state;
    multiboot2_parse(&boot, &phys, 0x900);
    assert_int_equal(boot.note_count, 1);
    assert_non_null(strstr(boot.notes[0], "cannot be read"));

    // No end tag within the total.
    setup(state);
    begin_tags();
    put_tag(TAG_CMDLINE, "window=10ms", 12);
    put_total(end_of_tags - INFORMATION);
    put_tag(TAG_MAP, &two_regions, sizeof(two_regions));
    multiboot2_parse(&boot, &phys, INFORMATION);
    assert_cut_after_command_line();

    // A tag that reaches beyond the total, one that is shorter than its head, one of 4 GiB.
    for (unsigned i = 0; i < 3; i++) {
        const uint32_t sizes[] = {sizeof(struct tag) + sizeof(two_regions), 7, UINT32_MAX};
        setup(state);
        begin_tags();
        put_tag(TAG_CMDLINE, "window=10ms", 12);
        uint64_t map = end_of_tags;
        put_tag(TAG_MAP, &two_regions, sizeof(two_regions));
        put(map + 4, &sizes[i], sizeof(sizes[i]));
        put_total(end_of_tags - 8 - INFORMATION);
        multiboot2_parse(&boot, &phys, INFORMATION);
        assert_cut_after_command_line();
    }
}

static void test_multiboot2_lies(void **state)
{
    struct map_body map = two_regions;

    // Entries that are too small; a map without its head.
    (void)state;
    begin_tags();
    map.entry_size = sizeof(struct multiboot2_map_entry) - 1;
    put_tag(TAG_MAP, &map, sizeof(map));
    put_tag(TAG_MAP, &map, 4);
    parse_tags();
    assert_int_equal(boot.region_count, 0);
    assert_int_equal(boot.note_count, 2);
    assert_non_null(strstr(boot.notes[0], "too short"));

    // Larger entries than ours are stepped over, one that wraps is left out.
    setup(state);
    begin_tags();
    struct __attribute__((packed)) {
        uint32_t entry_size, version;
        struct multiboot2_map_entry first;
        uint64_t more;
        struct multiboot2_map_entry second;
        uint64_t yet_more;
    } wide = {32, 0, {UINT64_MAX, 2, MEMORY_RAM, 0}, 0, {0x100000, 1, MEMORY_ACPI_NVS, 0}, 0};
    put_tag(TAG_MAP, &wide, sizeof(wide));
    parse_tags();
    assert_int_equal(boot.region_count, 1);
    assert_int_equal(boot.regions[0].type, MEMORY_ACPI_NVS);
    assert_int_equal(boot.note_count, 1);
    assert_non_null(strstr(boot.notes[0], "wraps"));

    // More tags than there are kinds.
    setup(state);
    begin_tags();
    for (unsigned i = 0; i <= TAGS_MAX; i++)
        put_tag(77, "", 0);
    parse_tags();
    assert_int_equal(boot.note_count, 1);
    assert_in_range(views, TAGS_MAX, 8 * TAGS_MAX);
}

// --- Linux

static struct boot_params params; // to be put at INFORMATION

static void parse_linux(void)
{
    put(INFORMATION, &params, sizeof(params));
    linux_parse(&boot, &phys, INFORMATION, BOOT_LINUX32);
}

static int setup_linux(void **state)
{
    memset(&params, 0, sizeof(params));
    return setup(state);
}

static void test_linux(void **state)
{
    (void)state;
    put(0x3000, "window=1s", 10);
    params.cmdline = 0x3000;
    params.rsdp = 0x123456789a;
    params.e820_entries = 2;
    params.alt_mem_kib = 7;
    params.map[0] = (struct e820_entry){0, 0x9fc00, MEMORY_RAM};
    params.map[1] = (struct e820_entry){0x100000, 0x1000, MEMORY_RESERVED};
    parse_linux();
    assert_int_equal(boot.protocol, BOOT_LINUX32);
    assert_string_equal(boot.cmdline, "window=1s");
    assert_int_equal(boot.rsdp, 0x123456789a);
    assert_int_equal(boot.region_count, 2);
    assert_int_equal(boot.regions[1].type, MEMORY_RESERVED);
    assert_int_equal(boot.framebuffer.address, 0);
    assert_int_equal(boot.note_count, 0);
}

// The zero page is defined by offsets: Linux Documentation/arch/x86/zero-page.rst.
static void test_linux_offsets(void **state)
{
    (void)state;
    assert_int_equal(offsetof(struct boot_params, rsdp), 0x070);
    assert_int_equal(offsetof(struct boot_params, cmdline_high), 0x0c8);
    assert_int_equal(offsetof(struct boot_params, alt_mem_kib), 0x1e0);
    assert_int_equal(offsetof(struct boot_params, e820_entries), 0x1e8);
    assert_int_equal(offsetof(struct boot_params, cmdline), 0x228);
    assert_int_equal(offsetof(struct boot_params, setup_data), 0x250);
    assert_int_equal(offsetof(struct boot_params, map), 0x2d0);
    assert_int_equal(sizeof(struct setup_data), 16);
    assert_int_equal(offsetof(struct jailhouse_data, tsc_khz), 16);
    assert_int_equal(offsetof(struct screen_info, kind), 0x0f);
    assert_int_equal(offsetof(struct screen_info, base), 0x18);
    assert_int_equal(offsetof(struct screen_info, red_size), 0x26);
    assert_int_equal(offsetof(struct screen_info, base_high), 0x3a);
}

// Without a map there is what BIOS said of the memory above 1 MiB.
static void test_linux_without_a_map(void **state)
{
    (void)state;
    params.alt_mem_kib = 65536;
    parse_linux();
    assert_int_equal(boot.region_count, 1);
    assert_int_equal(boot.regions[0].base, 1u << 20);
    assert_int_equal(boot.regions[0].length, 65536ull << 10);
    assert_string_equal(boot.cmdline, "");

    setup_linux(state);
    parse_linux();
    assert_int_equal(boot.region_count, 0);
}

static void test_linux_framebuffer(void **state)
{
    (void)state;
    params.screen = (struct screen_info){.kind = KIND_EFI,
                                         .width = 800,
                                         .height = 600,
                                         .bits = 32,
                                         .base = 0xc0000000,
                                         .base_high = 0x12,
                                         .pitch = 3200,
                                         .green_size = 8,
                                         .green_position = 9};
    parse_linux();
    // The upper half counts only where the capability says so.
    assert_int_equal(boot.framebuffer.address, 0xc0000000);
    assert_int_equal(boot.framebuffer.width, 800);
    assert_int_equal(boot.framebuffer.green.position, 9);
    params.screen.capabilities = BASE_IS_64_BIT;
    parse_linux();
    assert_int_equal(boot.framebuffer.address, 0x12c0000000);

    setup(state);
    params.screen.kind = 1; // VGA text
    parse_linux();
    assert_int_equal(boot.framebuffer.address, 0);
}

static void test_linux_lies(void **state)
{
    (void)state;
    linux_parse(&boot, &phys, 0x900, BOOT_LINUX64);
    assert_int_equal(boot.protocol, BOOT_LINUX64);
    assert_int_equal(boot.note_count, 1);

    // Cut off by the end of memory.
    setup(state);
    linux_parse(&boot, &phys, MEMORY_BASE + MEMORY_SIZE - 4095, BOOT_LINUX64);
    assert_int_equal(boot.note_count, 1);
    assert_non_null(strstr(boot.notes[0], "cannot be read"));

    // A command line above 4 GiB, and more entries than there is room for.
    setup(state);
    params.cmdline = 0x3000;
    params.cmdline_high = 1;
    params.e820_entries = 129;
    for (unsigned i = 0; i < E820_ENTRIES_MAX; i++)
        params.map[i] = (struct e820_entry){i * 0x1000ull, 0x1000, MEMORY_RAM};
    parse_linux();
    assert_string_equal(boot.cmdline, "");
    assert_int_equal(boot.region_count, E820_ENTRIES_MAX);
    assert_int_equal(boot.note_count, 2);
    assert_non_null(strstr(boot.notes[0], "0x100003000"));
    assert_non_null(strstr(boot.notes[1], "129 entries"));
}

static void put_setup_data(uint64_t address, uint64_t next, uint32_t type, uint32_t length)
{
    struct setup_data data = {next, type, length};

    put(address, &data, sizeof(data));
}

static void test_linux_setup_data(void **state)
{
    (void)state;
    struct jailhouse_data cell = {2, 1, 0x608, 1, 0, 2596130, 1000000};

    // Behind one of another kind.
    put_setup_data(0x3000, 0x3101, 9, 32);
    put_setup_data(0x3101, 0, SETUP_JAILHOUSE, 284);
    put(0x3101 + 16, &cell, sizeof(cell));
    params.setup_data = 0x3000;
    parse_linux();
    assert_true(boot.jailhouse.present);
    assert_int_equal(boot.jailhouse.tsc_khz, 2596130);
    assert_int_equal(boot.jailhouse.apic_khz, 1000000);
    assert_int_equal(boot.note_count, 0);

    // Too short, of another version, a loop, and nowhere.
    static const struct {
        uint32_t length;
        uint16_t compatible;
        uint64_t next;
        const char *note;
    } lies[] = {
        {23, 1, 0, "too short"},
        {284, 2, 0, "unknown version"},
        {284, 1, 0x3000, "too long"},
        {284, 1, UINT64_MAX - 7, "cannot be read"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
        setup_linux(state);
        cell.compatible_version = lies[i].compatible;
        put_setup_data(0x3000, lies[i].next, SETUP_JAILHOUSE, lies[i].length);
        put(0x3010, &cell, sizeof(cell));
        params.setup_data = 0x3000;
        parse_linux();
        assert_int_equal(boot.note_count, 1);
        assert_non_null(strstr(boot.notes[0], lies[i].note));
        assert_int_equal(boot.jailhouse.present, i >= 2);
    }
    // At the end of memory.
    setup_linux(state);
    put_setup_data(MEMORY_BASE + MEMORY_SIZE - 16, 0, SETUP_JAILHOUSE, 284);
    params.setup_data = MEMORY_BASE + MEMORY_SIZE - 16;
    parse_linux();
    assert_false(boot.jailhouse.present);
    assert_int_equal(boot.note_count, 1);
}

// Any address will do: nothing says that boot information is aligned.
static void test_odd_addresses(void **state)
{
    (void)state;
    params.rsdp = 0x1234;
    put(INFORMATION + 1, &params, sizeof(params));
    linux_parse(&boot, &phys, INFORMATION + 1, BOOT_LINUX32);
    assert_int_equal(boot.rsdp, 0x1234);

    setup(state);
    end_of_tags = INFORMATION + 3 + sizeof(struct tag);
    put_tag(TAG_MAP, &two_regions, sizeof(two_regions));
    put_tag(TAG_END, "", 0);
    put(INFORMATION + 3, &(uint32_t){(uint32_t)(end_of_tags - INFORMATION - 3)}, 4);
    multiboot2_parse(&boot, &phys, INFORMATION + 3);
    assert_int_equal(boot.region_count, 2);
    assert_int_equal(boot.note_count, 0);
}

// How long a map is, its loader says; how long it is read, we do.
static void test_multiboot_map_without_end(void **state)
{
    const struct map_entry empty = {20, 0, 0, MEMORY_RAM};

    (void)state;
    for (uint64_t at = 0x2000; at + sizeof(empty) <= MEMORY_BASE + MEMORY_SIZE; at += sizeof(empty))
        put(at, &empty, sizeof(empty));
    put_information(
        (struct information){.flags = FLAG_MMAP, .mmap_length = UINT32_MAX, .mmap_addr = 0x2000});
    views = 0;
    multiboot1_parse(&boot, &phys, 0x1000);
    assert_in_range(views, BOOT_REGIONS_MAX, BOOT_REGIONS_MAX + 2);
    assert_int_equal(boot.note_count, 1);
    assert_non_null(strstr(boot.notes[0], "more than 128 entries"));
}

// Entries past the bound are not dropped in silence, even where all before them were empty.
static void test_pvh_map_without_end(void **state)
{
    const struct start_info info = {0x336ec578, 1, 0, 0, 0, 0, 0};
    const struct start_info_map map = {0x2000, UINT32_MAX, 0};
    const struct pvh_map_entry full = {0x100000, 0x1000, MEMORY_RAM, 0};

    (void)state;
    put(0x1000, &info, sizeof(info));
    put(0x1000 + sizeof(info), &map, sizeof(map));
    put(0x2000 + BOOT_REGIONS_MAX * sizeof(full), &full, sizeof(full));
    views = 0;
    pvh_parse(&boot, &phys, 0x1000);
    assert_in_range(views, BOOT_REGIONS_MAX, BOOT_REGIONS_MAX + 3);
    assert_int_equal(boot.region_count, 0);
    assert_int_equal(boot.note_count, 1);
    assert_non_null(strstr(boot.notes[0], "more than 128 entries"));
}

static void test_too_many_regions(void **state)
{
    (void)state;
    for (unsigned i = 0; i < BOOT_REGIONS_MAX; i++)
        assert_true(boot_add_region(&boot, i, i * 0x1000ull, 0x1000, MEMORY_RAM));
    assert_int_equal(boot.note_count, 0);
    assert_false(boot_add_region(&boot, BOOT_REGIONS_MAX, 0, 0x1000, MEMORY_RAM));
    assert_int_equal(boot.region_count, BOOT_REGIONS_MAX);
    assert_int_equal(boot.note_count, 1);
}

static void test_too_many_notes(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * BOOT_NOTES_MAX; i++)
        boot_note(&boot, "note %u", i);
    assert_int_equal(boot.note_count, 2 * BOOT_NOTES_MAX);
    assert_string_equal(boot.notes[BOOT_NOTES_MAX - 1], "note 7");
}

// Any bytes as boot information: nothing is read outside memory (the sanitizer watches), strings
// end, and no region wraps.
static void test_random_memory(void **state)
{
    uint64_t random = 1;

    (void)state;
    for (unsigned run = 0; run < 20000; run++) {
        setup(state);
        for (size_t i = 0; i < 0x200; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            // Small numbers and addresses in memory come more often than chance has them.
            memory[i] = random >> 62 ? (uint8_t)(random >> 40) : (uint8_t)(random >> 40 & 0x33);
        }
        if (run % 4 == 1)
            multiboot1_parse(&boot, &phys, 0x1000 + run % 64);
        else if (run % 4 == 2)
            multiboot2_parse(&boot, &phys, 0x1000 + run % 64);
        else if (run % 4 == 3)
            linux_parse(&boot, &phys, 0x1000 + run % 64, BOOT_LINUX16);
        else
            pvh_parse(&boot, &phys, 0x1000 + run % 64);
        assert_true(strnlen(boot.cmdline, sizeof(boot.cmdline)) < sizeof(boot.cmdline));
        assert_true(strnlen(boot.loader, sizeof(boot.loader)) < sizeof(boot.loader));
        assert_true(boot.region_count <= BOOT_REGIONS_MAX);
        for (size_t i = 0; i < boot.region_count; i++)
            assert_true(boot.regions[i].base + boot.regions[i].length > boot.regions[i].base);
    }
}

static void test_regions_that_overlap(void **state)
{
    static const struct {
        uint64_t base, length;
        bool overlaps;
    } second[] = {
        {0x1000, 0x1000, false}, {0x2fff, 0x10, true},           {0x3000, 0x1000, false},
        {0, 0x2001, true},       {0x1000, UINT64_MAX / 2, true}, {0x2400, 0x100, true},
    };

    for (size_t i = 0; i < ARRAY_SIZE(second); i++) {
        setup(state);
        boot_add_region(&boot, 0, 0x100000, 0x1000, MEMORY_RESERVED);
        boot_add_region(&boot, 1, 0x2000, 0x1000, MEMORY_RAM);
        boot_add_region(&boot, 2, second[i].base, second[i].length, MEMORY_RAM);
        boot_check_regions(&boot);
        assert_int_equal(boot.note_count, second[i].overlaps);
    }
    assert_string_equal(boot.notes[0], "memory map: the regions at 0x2000 and 0x2400 overlap");
    // One note, however many there are.
    boot_add_region(&boot, 3, 0, 0x200000, MEMORY_RAM);
    boot.note_count = 0;
    boot_check_regions(&boot);
    assert_int_equal(boot.note_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_multiboot, setup),
        cmocka_unit_test_setup(test_multiboot_without_a_map, setup),
        cmocka_unit_test_setup(test_multiboot_lies, setup),
        cmocka_unit_test_setup(test_command_line_without_end, setup),
        cmocka_unit_test_setup(test_pvh, setup),
        cmocka_unit_test_setup(test_pvh_lies, setup),
        cmocka_unit_test_setup(test_multiboot2, setup),
        cmocka_unit_test_setup(test_multiboot2_memory, setup),
        cmocka_unit_test_setup(test_multiboot2_framebuffer, setup),
        cmocka_unit_test_setup(test_multiboot2_rsdp, setup),
        cmocka_unit_test_setup(test_multiboot2_cut, setup),
        cmocka_unit_test_setup(test_multiboot2_lies, setup),
        cmocka_unit_test_setup(test_linux, setup_linux),
        cmocka_unit_test_setup(test_linux_offsets, setup_linux),
        cmocka_unit_test_setup(test_linux_without_a_map, setup_linux),
        cmocka_unit_test_setup(test_linux_framebuffer, setup_linux),
        cmocka_unit_test_setup(test_linux_lies, setup_linux),
        cmocka_unit_test_setup(test_linux_setup_data, setup_linux),
        cmocka_unit_test_setup(test_odd_addresses, setup_linux),
        cmocka_unit_test_setup(test_multiboot_map_without_end, setup),
        cmocka_unit_test_setup(test_pvh_map_without_end, setup),
        cmocka_unit_test_setup(test_too_many_regions, setup),
        cmocka_unit_test_setup(test_too_many_notes, setup),
        cmocka_unit_test_setup(test_random_memory, setup),
        cmocka_unit_test_setup(test_regions_that_overlap, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
