// The page tables as the CPU would read them, and what machine_phys says that they map.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "boot/collect.c"
#include "boot/paging.c"

// What kernel/phys.c asks of the CPU.
uint64_t machine_cr3(void);
uint64_t machine_cr4(void);
// kernel/phys.c has its own.
#undef PRESENT
#undef LARGE
#undef ADDRESS
#undef TABLE_LENGTH
#include "kernel/phys.c"

#define TEXT 0x40000ull

static uint64_t cr3;
static struct paging_cpu cpu;
static struct paging_image loaded;
static struct boot_info boot;

uint64_t machine_cr3(void)
{
    return cr3;
}

uint64_t machine_cr4(void)
{
    return cpu.five_levels ? 1u << 12 : 0;
}

// An image at `start`: 256 KiB of text, 256 KiB of data, the guard page in the middle of that.
static void build(uint64_t at)
{
    loaded = (struct paging_image){at, at + TEXT, at + 2 * TEXT, at + TEXT + 0x10000};
    last.root = 0;
    cr3 = paging_start(&loaded, cpu);
    memset(&boot, 0, sizeof(boot));
}

static int setup(void **state)
{
    (void)state;
    cpu = (struct paging_cpu){.giant = true, .no_execute = true, .address_bits = 46};
    build(0x100000);
    return 0;
}

struct walked {
    bool mapped, writable, no_execute;
    unsigned cache; // PWT and PCD, 0 to 3
    uint64_t span;
};
#define MAPPED_CACHED      0
#define MAPPED_FRAMEBUFFER 2
#define MAPPED_UNCACHED    3

// Written from the manual once more, and not from paging.c.
static struct walked walk(uint64_t address)
{
    struct walked result = {.writable = true};
    const uint64_t *entries = (const uint64_t *)cr3;

    for (int bit = cpu.five_levels ? 48 : 39;; bit -= 9) {
        uint64_t entry = entries[address >> bit & 511];
        if (!(entry & 1))
            return (struct walked){0};
        result.writable = result.writable && entry & 2;
        result.no_execute = result.no_execute || entry >> 63;
        if (bit == 12 || entry & 0x80) {
            uint64_t base = entry & 0x000ffffffffff000;
            result.span = 1ull << bit;
            assert_true(bit <= (cpu.giant ? 30 : 21));
            assert_true(bit > 12 || !(entry & 0x80)); // there it is the PAT's
            assert_int_equal(base % result.span, 0);
            assert_int_equal(base, address & ~(result.span - 1)); // one to one
            result.cache = entry >> 3 & 3;
            result.mapped = true;
            return result;
        }
        assert_int_equal(entry >> 3 & 3, 0); // a table is read cached
        entries = (const uint64_t *)(entry & 0x000ffffffffff000);
    }
}

static void assert_cache(uint64_t address, unsigned cache)
{
    struct walked found = walk(address);

    assert_true(found.mapped);
    assert_int_equal(found.cache, cache);
    assert_non_null(phys_view(&machine_phys, address, 1));
}

static void assert_unmapped(uint64_t address)
{
    assert_false(walk(address).mapped);
    assert_null(phys_view(&machine_phys, address, 1));
}

static void test_low_4_gib(void **state)
{
    (void)state;
    assert_true(walk(0).mapped);
    assert_true(walk(0).writable);
    assert_int_equal(walk(0).span, 4096);
    for (uint64_t address = 0x200000; address < 3 * GIB; address += 0x200000 - 1)
        assert_cache(address, MAPPED_CACHED);
    for (uint64_t address = 3 * GIB; address < 4 * GIB; address += 0x200000 - 1)
        assert_cache(address, MAPPED_UNCACHED);
    assert_cache(0x9ffff, MAPPED_CACHED);
    assert_cache(0xa0000, MAPPED_UNCACHED);
    assert_cache(0xbffff, MAPPED_UNCACHED);
    assert_cache(0xc0000, MAPPED_CACHED);
    assert_cache(4 * GIB - 1, MAPPED_UNCACHED);
    assert_unmapped(4 * GIB);
    assert_unmapped(1ull << 46);
    assert_null(phys_view(&machine_phys, 1ull << 63, 1));
    assert_true(paging.used <= 10);
}

static void check_image(void)
{
    uint64_t at = loaded.start;

    assert_true(walk(at).mapped && !walk(at).writable && !walk(at).no_execute);
    assert_true(!walk(at + TEXT - 1).writable && !walk(at + TEXT - 1).no_execute);
    assert_true(walk(at + TEXT).writable && walk(at + TEXT).no_execute == cpu.no_execute);
    assert_true(walk(loaded.end - 1).writable && walk(loaded.end - 1).no_execute == cpu.no_execute);
    assert_cache(at, MAPPED_CACHED);
    assert_cache(loaded.end - 1, MAPPED_CACHED);
    assert_unmapped(loaded.guard);
    assert_unmapped(loaded.guard + 4095);
    assert_true(walk(loaded.guard - 1).mapped && walk(loaded.guard + 4096).mapped);
}

static const uint64_t places[] = {0x100000, 0x7e5c1000, 3 * GIB + 0x1ff000, 0x140001000};

static void test_image(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        build(places[i]);
        check_image();
        assert_true(walk(places[i] - 1).writable == walk(places[i] - 1).mapped);
        boot.regions[boot.region_count++] = (struct memory_region){0, 6 * GIB, MEMORY_RAM};
        paging_add(&boot);
        check_image();
        assert_true(walk(loaded.end).writable);
    }
    cpu.no_execute = false;
    build(places[0]);
    check_image();
}

// A page that is partly text and partly data can be written and executed.
static void test_mixed_page(void **state)
{
    (void)state;
    loaded = (struct paging_image){0x100000, 0x104010, 0x120000, 0x110000};
    cr3 = paging_start(&loaded, cpu);
    assert_true(!walk(0x103fff).writable);
    assert_true(walk(0x104000).writable && !walk(0x104000).no_execute);
    assert_true(walk(0x105000).writable && walk(0x105000).no_execute);
}

static void test_regions(void **state)
{
    static const struct memory_region regions[] = {
        {0, 0xa0000, MEMORY_RAM},
        {0x100000, 0xbff00000, MEMORY_RAM},
        {3 * GIB, 0x1234000, MEMORY_RAM},
        {0xd0000000, 0x5000, MEMORY_ACPI_RECLAIM},
        {0xfed00000, 0x200000, MEMORY_RAM}, // a lie
        {4 * GIB, GIB + 0x3000, MEMORY_RAM},
        {6 * GIB + 0x5000, 0x2000, MEMORY_ACPI_NVS},
        {0xfd00000000, 0x300000000, MEMORY_RESERVED},
    };

    for (unsigned giant = 0; giant < 2; giant++) {
        setup(state);
        cpu.giant = giant;
        build(0x100000);
        memcpy(boot.regions, regions, sizeof(regions));
        boot.region_count = ARRAY_SIZE(regions);
        paging_add(&boot);
        assert_int_equal(boot.note_count, 0);
        assert_cache(3 * GIB, MAPPED_CACHED);
        assert_cache(3 * GIB + 0x1233fff, MAPPED_CACHED);
        assert_cache(3 * GIB + 0x1234000, MAPPED_UNCACHED);
        assert_cache(0xd0004fff, MAPPED_CACHED);
        assert_cache(0xd0005000, MAPPED_UNCACHED);
        assert_cache(0xfed00000, MAPPED_UNCACHED);
        assert_cache(5 * GIB + 0x2fff, MAPPED_CACHED);
        assert_int_equal(walk(4 * GIB).span, giant ? GIB : 2 * MIB);
        assert_unmapped(5 * GIB + 0x3000);
        assert_unmapped(6 * GIB + 0x4fff);
        assert_cache(6 * GIB + 0x5000, MAPPED_CACHED);
        assert_unmapped(6 * GIB + 0x7000);
        assert_cache(0xfd00000000, MAPPED_UNCACHED);
        assert_cache(0xffffffffff, MAPPED_UNCACHED);
        assert_unmapped(0x10000000000);
        assert_cache(0xa0000, MAPPED_UNCACHED);
        check_image();
    }
}

static void test_tables_and_framebuffer(void **state)
{
    (void)state;
    boot.rsdp = 0x200000ff0;
    boot.smbios = 0x300000000;
    boot.framebuffer = (struct framebuffer){
        .address = 0x4000000000, .pitch = 4096 * 4, .width = 4096, .height = 256};
    boot.regions[boot.region_count++] = (struct memory_region){0x4000000000, 2 * MIB, MEMORY_RAM};
    paging_add(&boot);
    assert_int_equal(boot.note_count, 0);
    assert_cache(0x200000ff0 + 35, MAPPED_CACHED);
    assert_cache(0x300000000 + 31, MAPPED_CACHED);
    assert_cache(0x4000000000, MAPPED_FRAMEBUFFER);
    assert_cache(0x4000000000 + 4 * MIB - 1, MAPPED_FRAMEBUFFER);
    assert_unmapped(0x4000000000 + 4 * MIB);
    assert_non_null(phys_view(&machine_phys, 0x4000000000, 4 * MIB));
    assert_null(phys_view(&machine_phys, 0x4000000000, 4 * MIB + 1));
    // The framebuffer of a PC's display card.
    boot.framebuffer.address = 0x80000000;
    paging_add(&boot);
    assert_cache(0x80000000, MAPPED_FRAMEBUFFER);
    assert_cache(0x80000000 - 1, MAPPED_CACHED);
    // Over the image: that counts more.
    boot.framebuffer.address = 0x100000;
    paging_add(&boot);
    check_image();
    assert_int_equal(boot.note_count, 0);
}

static void test_running_out(void **state)
{
    (void)state;
    cpu.giant = false;
    build(0x100000);
    boot.rsdp = 0x200000ff0;
    boot.regions[boot.region_count++] = (struct memory_region){4 * GIB, 1ull << 45, MEMORY_RAM};
    boot.regions[boot.region_count++] =
        (struct memory_region){0x3000000000, 0x1000, MEMORY_ACPI_RECLAIM};
    paging_add(&boot);
    assert_int_equal(boot.note_count, 1);
    assert_non_null(strstr(boot.notes[0], "RAM at 0x100000000, 0x200000000000 bytes"));
    assert_cache(4 * GIB, MAPPED_CACHED);
    assert_cache(0x200000ff0, MAPPED_CACHED);
    assert_cache(0x3000000000, MAPPED_CACHED); // it came first, though it stands last
    assert_cache(0xfee00000, MAPPED_UNCACHED);
    check_image();
}

static void test_no_such_addresses(void **state)
{
    static const struct memory_region regions[] = {
        {1ull << 62, 1ull << 62, MEMORY_RAM},
        {0x100000, UINT64_MAX - 0x100000, MEMORY_RESERVED},
        {1ull << 46, 0x1000, MEMORY_RAM},
    };

    (void)state;
    memcpy(boot.regions, regions, sizeof(regions));
    boot.region_count = ARRAY_SIZE(regions);
    boot.rsdp = UINT64_MAX - 10;
    boot.smbios = 1ull << 47;
    boot.framebuffer = (struct framebuffer){
        .address = UINT64_MAX, .pitch = UINT32_MAX, .width = 1, .height = UINT32_MAX};
    paging_add(&boot);
    assert_int_equal(boot.note_count, 5);
    assert_unmapped(1ull << 46);
    check_image();
    // Nonsense from CPUID.
    cpu.address_bits = 0;
    build(0x100000);
    boot.rsdp = 1ull << 36;
    paging_add(&boot);
    assert_int_equal(boot.note_count, 1);
}

static void test_five_levels(void **state)
{
    (void)state;
    cpu.five_levels = true;
    cpu.address_bits = 52;
    build(0x140000000);
    assert_cache(0xfee00000, MAPPED_UNCACHED);
    check_image();
    boot.regions[boot.region_count++] = (struct memory_region){1ull << 50, GIB, MEMORY_RAM};
    paging_add(&boot);
    assert_cache(1ull << 50, MAPPED_CACHED);
    assert_int_equal(boot.note_count, 0);
}

// The CPU's accessed and dirty bits do not make an entry another one.
static void test_tables_in_use(void **state)
{
    (void)state;
    boot.regions[boot.region_count++] = (struct memory_region){4 * GIB, GIB, MEMORY_RAM};
    boot.regions[boot.region_count++] = (struct memory_region){5 * GIB, 4 * MIB, MEMORY_RAM};
    paging_add(&boot);
    unsigned used = paging.used;
    for (unsigned i = 0; i < used; i++)
        for (unsigned j = 0; j < TABLE_LENGTH; j++)
            tables[i][j] |= tables[i][j] & 1 ? 0x60 : 0;
    boot.regions[0] = (struct memory_region){4 * GIB + 0x3000, 0x5000, MEMORY_RAM};
    paging_add(&boot);
    assert_int_equal(paging.used, used);
    check_image();
}

static uint64_t random_state = 1;
static uint64_t random_number(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return random_state >> 16;
}

// Any memory map: what lies in a region is mapped, and the view agrees with the CPU.
static void test_random_maps(void **state)
{
    for (unsigned run = 0; run < 300; run++) {
        setup(state);
        cpu.giant = random_number() & 1;
        build(places[random_number() % ARRAY_SIZE(places)]);
        for (unsigned i = 0; i < 12; i++)
            boot.regions[boot.region_count++] = (struct memory_region){
                random_number() % (8 * GIB), 1 + (random_number() % GIB >> random_number() % 30),
                (uint32_t)(1 + random_number() % 4)};
        paging_add(&boot);
        assert_int_equal(boot.note_count, 0);
        check_image();
        for (unsigned i = 0; i < 12; i++) {
            const struct memory_region *region = &boot.regions[i];
            uint64_t address = region->base + random_number() % region->length;
            if (address - loaded.guard >= 4096)
                assert_true(walk(address).mapped);
            uint64_t length = 1 + random_number() % 0x10000;
            bool all = true;
            for (uint64_t at = address; at < address + length; at++)
                if (at == address || at % 4096 == 0)
                    all = all && walk(at).mapped;
            assert_int_equal(phys_view(&machine_phys, address, length) != NULL, all && address);
        }
    }
}

static void test_views(void **state)
{
    (void)state;
    assert_null(phys_view(&machine_phys, 0, 1));
    assert_non_null(phys_view(&machine_phys, 1, 1));
    assert_null(phys_view(&machine_phys, loaded.guard - 1, 2));
    assert_non_null(phys_view(&machine_phys, loaded.guard - 1, 1));
    assert_non_null(phys_view(&machine_phys, 0x10000000, GIB));
    assert_null(phys_view(&machine_phys, 4 * GIB - 16, 17));
    assert_non_null(phys_view(&machine_phys, 4 * GIB - 16, 16));
    assert_null(phys_view(&machine_phys, 16, UINT64_MAX));
    assert_null(phys_view(&machine_phys, UINT64_MAX, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_low_4_gib, setup),
        cmocka_unit_test_setup(test_image, setup),
        cmocka_unit_test_setup(test_mixed_page, setup),
        cmocka_unit_test_setup(test_regions, setup),
        cmocka_unit_test_setup(test_tables_and_framebuffer, setup),
        cmocka_unit_test_setup(test_running_out, setup),
        cmocka_unit_test_setup(test_no_such_addresses, setup),
        cmocka_unit_test_setup(test_five_levels, setup),
        cmocka_unit_test_setup(test_tables_in_use, setup),
        cmocka_unit_test_setup(test_random_maps, setup),
        cmocka_unit_test_setup(test_views, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
