// boot/stub/efi.c with firmware that is made up: it moves its memory map, refuses, or has too much.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "boot/stub/efi.c"

#define ROOM  1024
#define IMAGE 0x1234
#define ENTRY 48

static _Alignas(8) uint8_t info[256], copy[ROOM];
static size_t info_size;
static unsigned map_size, changes, map_calls, exits;
static uint64_t current_key;

static __attribute__((ms_abi)) uint64_t get_memory_map(uint64_t *size, uint8_t *map, uint64_t *key,
                                                       uint64_t *entry_size, uint32_t *version)
{
    map_calls++;
    if (*size < map_size) {
        *size = map_size;
        return 0x8000000000000005; // EFI_BUFFER_TOO_SMALL
    }
    memset(map, 0xab, map_size);
    *size = map_size;
    *key = current_key;
    *entry_size = ENTRY;
    *version = 1;
    if (changes > 0) {
        changes--;
        current_key++;
    }
    return 0;
}

static __attribute__((ms_abi)) uint64_t exit_boot_services(uint64_t image, uint64_t key)
{
    assert_int_equal(image, IMAGE);
    if (key != current_key)
        return 0x8000000000000002; // EFI_INVALID_PARAMETER
    exits++;
    return 0;
}

static struct services services;
static struct system_table system_table = {.services = &services};

static void put_tag(uint32_t type, uint64_t value, uint32_t size)
{
    const struct tag tag = {type, size};

    memcpy(info + info_size, &tag, sizeof(tag));
    if (size > sizeof(tag))
        memcpy(info + info_size + sizeof(tag), &value, sizeof(value));
    info_size += align(size);
    *(uint32_t *)info = (uint32_t)info_size;
}

static int setup(void **state)
{
    (void)state;
    memset(info, 0, sizeof(info));
    memset(copy, 0x55, sizeof(copy));
    info_size = 8;
    services.get_memory_map = get_memory_map;
    services.exit_boot_services = exit_boot_services;
    map_size = 3 * ENTRY;
    changes = map_calls = exits = 0;
    current_key = 7;
    put_tag(TAG_EFI64, (uint64_t)&system_table, 16);
    put_tag(1, 0x6161616161616161, 21);
    put_tag(TAG_ALIVE, 0, 8);
    put_tag(TAG_HANDLE64, IMAGE, 16);
    return 0;
}

static void test_the_map_is_added(void **state)
{
    (void)state;
    size_t end = info_size;
    put_tag(TAG_END, 0, 8);
    assert_ptr_equal(efi_leave(info, copy, ROOM), copy);
    assert_int_equal(exits, 1);
    assert_memory_equal(copy + 8, info + 8, end - 8);
    const struct map_tag *map = (const struct map_tag *)(copy + end);
    assert_int_equal(map->tag.type, TAG_EFI_MAP);
    assert_int_equal(map->tag.size, 16 + map_size);
    assert_int_equal(map->entry_size, ENTRY);
    assert_int_equal(copy[end + 16 + map_size - 1], 0xab);
    const struct tag *last = (const struct tag *)(copy + end + 16 + map_size);
    assert_int_equal(last->type, TAG_END);
    assert_int_equal(last->size, 8);
    assert_int_equal(*(uint32_t *)copy, end + 16 + map_size + 8);
}

static void test_a_map_that_changes(void **state)
{
    (void)state;
    put_tag(TAG_END, 0, 8);
    changes = 3;
    assert_ptr_equal(efi_leave(info, copy, ROOM), copy);
    assert_int_equal(map_calls, 4);
    assert_int_equal(exits, 1);
    changes = 1000;
    assert_ptr_equal(efi_leave(info, copy, ROOM), info);
    assert_int_equal(map_calls, 4 + TRIES);
    assert_int_equal(exits, 1);
}

static void test_every_size_of_the_room(void **state)
{
    (void)state;
    put_tag(TAG_END, 0, 8);
    for (size_t room = 0; room <= info_size + 300; room++) {
        memset(copy, 0x55, sizeof(copy));
        bool fits = efi_leave(info, copy, room) == copy;
        assert_int_equal(fits, room >= info_size + 16 + map_size + 8);
        for (size_t i = room; i < sizeof(copy); i++)
            assert_int_equal(copy[i], 0x55);
    }
}

static void test_what_is_missing(void **state)
{
    (void)state;
    // No end tag; one that lies beyond the total; a tag of no size.
    assert_ptr_equal(efi_leave(info, copy, ROOM), info);
    put_tag(TAG_END, 0, 8);
    *(uint32_t *)info -= 8;
    assert_ptr_equal(efi_leave(info, copy, ROOM), info);
    *(uint32_t *)info += 8;
    ((struct tag *)(info + 8))->size = 0;
    assert_ptr_equal(efi_leave(info, copy, ROOM), info);
    ((struct tag *)(info + 8))->size = 16;
    // No system table, no handle.
    for (unsigned type = TAG_EFI64; type <= TAG_HANDLE64; type += TAG_HANDLE64 - TAG_EFI64) {
        struct tag *tag = (struct tag *)(info + (type == TAG_EFI64 ? 8 : 8 + 16 + 24 + 8));
        assert_int_equal(tag->type, type);
        tag->type = 99;
        assert_ptr_equal(efi_leave(info, copy, ROOM), info);
        tag->type = type;
    }
    assert_int_equal(map_calls, 0);
    assert_ptr_equal(efi_leave(info, copy, ROOM), copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_the_map_is_added, setup),
        cmocka_unit_test_setup(test_a_map_that_changes, setup),
        cmocka_unit_test_setup(test_every_size_of_the_room, setup),
        cmocka_unit_test_setup(test_what_is_missing, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
