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

#define SYSTEM_TABLE 0xa00 // these lie in `memory`
#define TABLES       0xc00

// EFI's system table, with configuration tables of which each is at its GUID's first byte.
static uint64_t put_system_table(const struct efi_table *tables, uint64_t count)
{
    const uint64_t where[] = {count, BASE + TABLES};

    memcpy(memory + SYSTEM_TABLE + EFI_TABLES, where, sizeof(where));
    memcpy(memory + TABLES, tables, count * sizeof(*tables));
    return BASE + SYSTEM_TABLE;
}

static const struct efi_table table_of_acpi = {
    {0x71, 0xe8, 0x68, 0x88, 0xf1, 0xe4, 0xd3, 0x11, 0xbc, 0x22, 0, 0x80, 0xc7, 0x3c, 0x88, 0x81},
    0x1111};
static const struct efi_table table_of_smbios = {
    {0x31, 0x2d, 0x9d, 0xeb, 0x88, 0x2d, 0xd3, 0x11, 0x9a, 0x16, 0, 0x90, 0x27, 0x3f, 0xc1, 0x4d},
    0x2222};
static const struct efi_table table_of_smbios3 = {{0x44, 0x15, 0xfd, 0xf2, 0x94, 0x97, 0x2c, 0x4a,
                                                   0x99, 0x2e, 0xe5, 0xbb, 0xcf, 0x20, 0xe3, 0x94},
                                                  0x3333};

static uint64_t smbios_of(const struct efi_table *tables, uint64_t count)
{
    setup(NULL);
    uint64_t system = put_system_table(tables, count);
    put(TAG_EFI64, &system, sizeof(system));
    parse();
    return boot.smbios;
}

static void test_smbios(void **state)
{
    (void)state;
    const struct efi_table both[] = {table_of_smbios3, table_of_acpi, table_of_smbios};
    assert_int_equal(smbios_of(both, 3), 0x3333);
    assert_int_equal(smbios_of(both + 1, 2), 0x2222);
    assert_int_equal(smbios_of(both + 1, 1), 0);
    assert_int_equal(boot.note_count, 0);
    assert_int_equal(boot.efi_system_table, 0); // boot services were left by the loader
}

static void test_tables_that_cannot_be_read(void **state)
{
    static const uint64_t systems[] = {8, UINT64_MAX - 50, BASE + SIZE - EFI_TABLES};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(systems) + 3; i++) {
        setup(NULL);
        uint64_t system = put_system_table(&table_of_smbios, 1);
        uint64_t *where = (uint64_t *)(memory + SYSTEM_TABLE + EFI_TABLES);
        if (i < ARRAY_SIZE(systems))
            system = systems[i];
        else if (i == ARRAY_SIZE(systems))
            where[0] = EFI_TABLES_MAX + 1;
        else if (i == ARRAY_SIZE(systems) + 1)
            where[1] = UINT64_MAX - 8;
        else
            where[0] = EFI_TABLES_MAX; // the last ones lie beyond
        put(TAG_EFI64, &system, sizeof(system));
        parse();
        assert_int_equal(boot.note_count, 1);
        assert_int_equal(boot.smbios, i == ARRAY_SIZE(systems) + 2 ? 0x2222 : 0);
    }
}

// Where boot services were alive the map is EFI's, and the system table can be used.
static void test_efi_map(void **state)
{
    const uint64_t system = put_system_table(&table_of_acpi, 1);

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
        cmocka_unit_test_setup(test_smbios, setup),
        cmocka_unit_test_setup(test_tables_that_cannot_be_read, setup),
        cmocka_unit_test_setup(test_efi_map, setup),
        cmocka_unit_test_setup(test_multiboots_map_counts_first, setup),
        cmocka_unit_test_setup(test_boot_services_that_stayed, setup),
        cmocka_unit_test_setup(test_lying_sizes, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
