#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

// The image's functions, under names that leave the host's alone.
#define memcpy  image_memcpy
#define memmove image_memmove
#define memset  image_memset
#define memcmp  image_memcmp
#include "lib/memory.c" // NOLINT(bugprone-suspicious-include)

#define SIZE 16

static void fill(uint8_t *bytes)
{
    for (unsigned i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i + 1);
}

// Are bytes [from, from + length) `first`, `first` + 1, ..., and all others as `fill` left them?
static void check(const uint8_t *bytes, size_t from, size_t length, unsigned first)
{
    for (size_t i = 0; i < SIZE; i++)
        assert_int_equal(bytes[i], i - from < length ? first + (i - from) : i + 1);
}

static void test_copy(void **state)
{
    (void)state;
    for (size_t length = 0; length <= 8; length++) {
        uint8_t bytes[SIZE];
        fill(bytes);
        assert_ptr_equal(image_memcpy(bytes + 8, bytes, length), bytes + 8);
        check(bytes, 8, length, 1);
    }
}

// Over themselves, to either side.
static void test_move(void **state)
{
    (void)state;
    for (size_t to = 0; to <= 8; to++) {
        for (size_t length = 0; length <= 8; length++) {
            uint8_t bytes[SIZE];
            fill(bytes);
            assert_ptr_equal(image_memmove(bytes + to, bytes + 4, length), bytes + to);
            check(bytes, to, length, 5);
        }
    }
}

static void test_set(void **state)
{
    (void)state;
    uint8_t bytes[SIZE];

    fill(bytes);
    // C11 7.24.6.1: the value is converted to unsigned char.
    assert_ptr_equal(image_memset(bytes + 3, 0x1ab, 1), bytes + 3);
    check(bytes, 3, 1, 0xab);
    image_memset(bytes, 7, 0);
    check(bytes, 3, 1, 0xab);
}

// Every length at every place: nothing but these bytes, whatever is stored at once.
static void test_set_anywhere(void **state)
{
    (void)state;
    for (size_t from = 0; from <= 2 * SIZE; from++) {
        for (size_t length = 0; length <= 2 * SIZE; length++) {
            uint8_t bytes[4 * SIZE] = {0};
            image_memset(bytes + from, 0xab, length);
            for (size_t i = 0; i < sizeof(bytes); i++)
                assert_int_equal(bytes[i], i - from < length ? 0xab : 0);
        }
    }
}

static void test_compare(void **state)
{
    (void)state;
    static const uint8_t low[] = {1, 2, 3}, high[] = {1, 2, 0x83};

    assert_int_equal(image_memcmp(low, high, 0), 0);
    assert_int_equal(image_memcmp(low, high, 2), 0);
    // As unsigned bytes.
    assert_true(image_memcmp(low, high, 3) < 0);
    assert_true(image_memcmp(high, low, 3) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy),    cmocka_unit_test(test_move),
        cmocka_unit_test(test_set),     cmocka_unit_test(test_set_anywhere),
        cmocka_unit_test(test_compare),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
