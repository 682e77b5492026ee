// The option ROM of VMware's interface of 2006, and ROMs of others.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lib/vmi.h"

#define START 0xc0000u

static uint8_t roms[0x20000];
static size_t readable;

static const void *view(void *context, uint64_t address, uint64_t length)
{
    (void)context;
    if (address < START || address - START > readable || length > readable - (address - START))
        return NULL;
    return roms + (address - START);
}

static struct vmi_rom find(void)
{
    static const struct phys phys = {view, NULL};
    struct vmi_rom rom;

    memset(&rom, 0xff, sizeof(rom));
    vmi_find(&rom, &phys);
    return rom;
}

static uint8_t *put_rom(uint64_t address)
{
    // Signature, 1024 bytes, entry, "cVmi", API 3.0, 80 slots, top at 0xfc000000
    static const uint8_t header[28] = {0x55, 0xaa, 2,   0xcb, 0, 0, 0, 0,
                                       'c',  'V',  'm', 'i',  0, 3, 80};
    uint8_t *rom = roms + (address - START);
    uint8_t sum = 0;

    memcpy(rom, header, sizeof(header));
    rom[19] = 0xfc;
    for (unsigned i = 0; i < 1024; i++)
        sum = (uint8_t)(sum + rom[i]);
    rom[1023] = (uint8_t)-sum;
    return rom;
}

static void start(void)
{
    memset(roms, 0, sizeof(roms));
    readable = sizeof(roms);
}

static void test_a_rom(void **state)
{
    (void)state;
    static const uint64_t places[] = {0xc0000, 0xc8800, 0xdf800};

    for (unsigned i = 0; i < 3; i++) {
        start();
        memcpy(roms, "\x55\xaa\x01", 3); // a ROM of somebody else, unless it is overwritten
        put_rom(places[i]);
        struct vmi_rom rom = find();
        assert_int_equal(rom.address, places[i]);
        assert_int_equal(rom.length, 1024);
        assert_int_equal(rom.api_major * 10 + rom.api_minor, 30);
        assert_int_equal(rom.slots, 80);
        assert_int_equal(rom.virtual_top, 0xfc000000u);
        assert_true(rom.sums_to_zero);
    }
}

static void test_no_rom(void **state)
{
    (void)state;
    start();
    assert_int_equal(find().address, 0);
    put_rom(0xc8000)[0] = 0; // no option ROM
    assert_int_equal(find().address, 0);
    put_rom(0xc8000)[8] = 'C'; // no VMI
    assert_int_equal(find().address, 0);
    start();
    put_rom(0xc8400); // not where option ROMs begin
    assert_int_equal(find().address, 0);
    start();
    put_rom(0xc8000);
    readable = 0x8010;
    assert_int_equal(find().address, 0);
}

static void test_damaged_roms(void **state)
{
    (void)state;
    start();
    put_rom(0xc8000)[100] = 1;
    assert_int_equal(find().address, 0xc8000);
    assert_false(find().sums_to_zero);
    put_rom(0xc8000)[2] = 255; // longer than what can be read
    readable = 0x8800;
    assert_int_equal(find().address, 0xc8000);
    assert_false(find().sums_to_zero);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_rom),
        cmocka_unit_test(test_no_rom),
        cmocka_unit_test(test_damaged_roms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
