// What EFI adds to Multiboot 2's information; test_boot.c has the rest of boot/multiboot2.c.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "boot/collect.c"
#include "boot/multiboot2.c"

#define BASE 0x1000
#define SIZE 0x1000

static _Alignas(8) uint8_t memory[SIZE];
static size_t at;
static struct boot_info boot;

static const void *view(void *context, uint64_t address, uint64_t length)
{
    (void)context;
    if (address < BASE || address - BASE > SIZE || length > SIZE - (address - BASE))
        return NULL;
    return memory + (address - BASE);
}

static const struct phys phys = {view, NULL};

static int setup(void **state)
{
    (void)state;
    memset(memory, 0, sizeof(memory));
    memset(&boot, 0, sizeof(boot));
    at = 8;
    return 0;
}

static void put(uint32_t type, const void *body, size_t size)
{
    const struct tag tag = {type, (uint32_t)(sizeof(tag) + size)};

    memcpy(memory + at, &tag, sizeof(tag));
    if (size)
        memcpy(memory + at + sizeof(tag), body, size);
    at += (tag.size + 7u) & ~7u;
    *(uint32_t *)memory = (uint32_t)at;
}

static void parse(void)
{
    put(TAG_END, NULL, 0);
    multiboot2_parse(&boot, &phys, BASE);
    assert_int_equal(boot.protocol, BOOT_MULTIBOOT2);
}

static void put_map(void)
{
    struct {
        uint32_t entry_size, version;
        struct map_entry entries[2];
    } map = {24, 0, {{0, 0x9f000, MEMORY_RAM, 0}, {0x100000, 0x700000, MEMORY_RAM, 0}}};

    put(TAG_MAP, &map, sizeof(map));
}

static void put_efi_map(uint32_t entry_size)
{
    struct {
        uint32_t entry_size, version;
        struct efi_entry entries[4];
    } map = {entry_size,
             1,
             {{7, 0, 0, 0, 0x80, 0},
              {4, 0, 0x80000, 0, 0x10, 0},
              {9, 0, 0x90000, 0, 1, 0},
              {7, 0, 0x100000, 0, 0x1000, 0}}};

    put(TAG_EFI_MAP, &map, sizeof(map));
}

// Where boot services were alive the map is EFI's, and the system table can be used.
static void test_efi_map(void **state)
{
    const uint64_t system = 0x7654000;

    (void)state;
    put_efi_map(40);
    put(TAG_EFI64, &system, sizeof(system));
    put(TAG_ALIVE, NULL, 0);
    parse();
    assert_int_equal(boot.region_count, 3);
    assert_int_equal(boot.regions[0].length, 0x90000); // two that border
    assert_int_equal(boot.regions[1].type, MEMORY_ACPI_RECLAIM);
    assert_int_equal(boot.regions[2].base, 0x100000);
    assert_int_equal(boot.regions[2].length, 0x1000000);
    assert_int_equal(boot.efi_system_table, system);
    assert_int_equal(boot.note_count, 0);

    // Nor need it be aligned.
    memmove(memory + 1, memory, at);
    memset(&boot, 0, sizeof(boot));
    multiboot2_parse(&boot, &phys, BASE + 1);
    assert_int_equal(boot.region_count, 3);
    assert_int_equal(boot.efi_system_table, system);
}

static void test_multiboots_map_counts_first(void **state)
{
    (void)state;
    put_efi_map(40);
    put_map();
    parse();
    assert_int_equal(boot.region_count, 2);
    assert_int_equal(boot.efi_system_table, 0);
}

static void test_boot_services_that_stayed(void **state)
{
    (void)state;
    put(TAG_ALIVE, NULL, 0);
    parse();
    assert_int_equal(boot.note_count, 1);
    assert_non_null(strstr(boot.notes[0], "could not be left"));
}

static void test_lying_sizes(void **state)
{
    (void)state;
    put_efi_map(39);
    parse();
    assert_int_equal(boot.region_count, 0);

    // Every length that the information may claim, within and beyond the memory there is.
    setup(state);
    put_map();
    put_efi_map(40);
    put(TAG_END, NULL, 0);
    for (uint32_t total = 0; total < 2 * SIZE; total += 4) {
        memset(&boot, 0, sizeof(boot));
        *(uint32_t *)memory = total;
        multiboot2_parse(&boot, &phys, BASE);
        assert_int_equal(boot.note_count, total < at);
    }
    for (uint32_t size = 0; size < 2 * SIZE; size += 4) {
        memset(&boot, 0, sizeof(boot));
        *(uint32_t *)memory = 2 * SIZE;
        ((struct tag *)(memory + 8))->size = size;
        multiboot2_parse(&boot, &phys, BASE);
        assert_true(boot.region_count <= BOOT_REGIONS_MAX);
    }
    memset(&boot, 0, sizeof(boot));
    multiboot2_parse(&boot, &phys, BASE + SIZE);
    assert_int_equal(boot.note_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_efi_map, setup),
        cmocka_unit_test_setup(test_multiboots_map_counts_first, setup),
        cmocka_unit_test_setup(test_boot_services_that_stayed, setup),
        cmocka_unit_test_setup(test_lying_sizes, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
