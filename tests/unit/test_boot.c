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
// Both parsers have their own map_entry and parse_map.
#define map_entry pvh_map_entry
#define parse_map pvh_parse_map
#include "boot/pvh.c"
#undef map_entry
#undef parse_map

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
        if (run % 2)
            multiboot1_parse(&boot, &phys, 0x1000 + run % 64);
        else
            pvh_parse(&boot, &phys, 0x1000 + run % 64);
        assert_true(strnlen(boot.cmdline, sizeof(boot.cmdline)) < sizeof(boot.cmdline));
        assert_true(strnlen(boot.loader, sizeof(boot.loader)) < sizeof(boot.loader));
        assert_true(boot.region_count <= BOOT_REGIONS_MAX);
        for (size_t i = 0; i < boot.region_count; i++)
            assert_true(boot.regions[i].base + boot.regions[i].length > boot.regions[i].base);
    }
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
        cmocka_unit_test_setup(test_multiboot_map_without_end, setup),
        cmocka_unit_test_setup(test_pvh_map_without_end, setup),
        cmocka_unit_test_setup(test_too_many_regions, setup),
        cmocka_unit_test_setup(test_too_many_notes, setup),
        cmocka_unit_test_setup(test_random_memory, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
