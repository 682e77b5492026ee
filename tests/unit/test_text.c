#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "lib/text.h"
#include "tests/unit/stream.h"

static void test_length_and_comparison(void **state)
{
    (void)state;
    assert_int_equal(text_length(""), 0);
    assert_int_equal(text_length("abc"), 3);
    assert_true(text_equal("", ""));
    assert_true(text_equal("abc", "abc"));
    assert_false(text_equal("abc", "abd"));
    assert_false(text_equal("abc", "ab"));
    assert_false(text_equal("ab", "abc"));
    assert_false(text_equal("", "a"));
    assert_true(text_starts_with("abc", ""));
    assert_true(text_starts_with("abc", "ab"));
    assert_true(text_starts_with("abc", "abc"));
    assert_false(text_starts_with("abc", "abcd"));
    assert_false(text_starts_with("abc", "b"));
    assert_false(text_starts_with("", "a"));
}

static void test_a_text_grows(void **state)
{
    (void)state;
    char buffer[16];
    struct text text;

    memset(buffer, 'x', sizeof(buffer));
    text_init(&text, buffer, sizeof(buffer));
    assert_string_equal(buffer, "");
    text_char(&text, 'a');
    text_string(&text, "bc");
    text_format(&text, "%d-%s", 42, "end");
    assert_string_equal(buffer, "abc42-end");
    assert_int_equal(text.used, 9);
    assert_false(text.truncated);
}

static void test_what_does_not_fit_is_dropped(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 12; size++) {
        char buffer[16];
        char expected[16] = "0123456789";
        struct text text;
        memset(buffer, 'x', sizeof(buffer));
        text_init(&text, buffer, size);
        text_string(&text, "0123456789");
        if (size <= 10)
            expected[size - 1] = '\0';
        assert_string_equal(buffer, expected);
        assert_int_equal(text.truncated, size <= 10);
        assert_int_equal(text.used, strlen(expected));
        for (size_t i = size; i < sizeof(buffer); i++)
            assert_int_equal(buffer[i], 'x');
    }
}

static void test_print_tells_what_it_wrote(void **state)
{
    (void)state;
    char buffer[8];

    assert_int_equal(text_print(buffer, sizeof(buffer), "%s", "abc"), 3);
    assert_string_equal(buffer, "abc");
    assert_int_equal(text_print(buffer, sizeof(buffer), "%s", "abcdefghij"), 7);
    assert_string_equal(buffer, "abcdefg");
    assert_int_equal(text_print(buffer, 1, "%u", 5u), 0);
    assert_string_equal(buffer, "");
}

// The host's printf knows the right answer for everything in the subset.
#define ASSERT_LIKE_PRINTF(...)                                                                    \
    do {                                                                                           \
        char ours[128], theirs[128];                                                               \
        size_t written = text_print(ours, sizeof(ours), __VA_ARGS__);                              \
        int right = snprintf(theirs, sizeof(theirs), __VA_ARGS__);                                 \
        assert_string_equal(ours, theirs);                                                         \
        assert_int_equal(written, right);                                                          \
    } while (0)

static void test_formats_are_those_of_printf(void **state)
{
    (void)state;
    ASSERT_LIKE_PRINTF("no conversion");
    ASSERT_LIKE_PRINTF("100%%, %c%c|%4c|%-4c|", 'a', 'b', 'c', 'd');
    ASSERT_LIKE_PRINTF("[%s] [%10s] [%-10s] [%2s]", "text", "right", "left", "longer");
    ASSERT_LIKE_PRINTF("[%.3s] [%.0s] [%.9s] [%8.3s] [%-8.3s]", "abcdef", "abc", "abc", "abcdef",
                       "abcdef");
    ASSERT_LIKE_PRINTF("[%*s] [%-*s] [%.*s] [%*.*s]", 6, "a", 6, "b", 2, "cde", 5, 1, "fg");
    ASSERT_LIKE_PRINTF("%u %u %d %d %d", 0u, UINT_MAX, 0, INT_MAX, INT_MIN);
    ASSERT_LIKE_PRINTF("[%5u] [%-5u] [%05u] [%5d] [%05d] [%-5d]", 42u, 42u, 42u, -42, 42, -42);
    ASSERT_LIKE_PRINTF("[%2u] [%02u] [%1d]", 12345u, 12345u, -12345);
    ASSERT_LIKE_PRINTF("%x %X %08x %8x %-8x| %x", 0xbeefu, 0xbeefu, 0xbeefu, 0xbeefu, 0xbeefu, 0u);
    ASSERT_LIKE_PRINTF("%lu %ld %lx", ULONG_MAX, LONG_MIN, ULONG_MAX);
    ASSERT_LIKE_PRINTF("%llu %lld %llX", ULLONG_MAX, LLONG_MIN, ULLONG_MAX);
    ASSERT_LIKE_PRINTF("%zu %zx %016lx", SIZE_MAX, SIZE_MAX, (uint64_t)0x123456789abcdef0);
    ASSERT_LIKE_PRINTF("%*u %-*u| %0*u", 6, 7u, 6, 7u, 6, 7u);
}

static void test_a_string_need_not_end_within_its_precision(void **state)
{
    (void)state;
    static const char unended[4] = {'a', 'b', 'c', 'd'};
    char buffer[8];

    text_print(buffer, sizeof(buffer), "%.4s", unended);
    assert_string_equal(buffer, "abcd");
}

static void test_decimals(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        unsigned scale, places;
        const char *text;
    } cases[] = {
        {0, 0, 0, "0"},
        {0, 9, 6, "0.000000"},
        {7, 0, 3, "7.000"},
        {2596130164800, 9, 6, "2596.130165"},
        {2596130164800, 9, 0, "2596"},
        {2596130164800, 9, 9, "2596.130164800"},
        {2596130164800, 9, 12, "2596.130164800000"},
        {1193181818, 3, 3, "1193181.818"},
        {5, 1, 0, "1"}, // half away from zero
        {4, 1, 0, "0"},
        {15, 1, 0, "2"},
        {14, 1, 0, "1"},
        {45, 2, 1, "0.5"},
        {44, 2, 1, "0.4"},
        {999, 3, 2, "1.00"},
        {9999999, 3, 0, "10000"},
        {1, 18, 18, "0.000000000000000001"},
        {1, 18, 0, "0"},
        {1, 0, 18, "1.000000000000000000"},
        {UINT64_MAX, 0, 0, "18446744073709551615"},
        {UINT64_MAX, 18, 18, "18.446744073709551615"},
        {UINT64_MAX, 18, 0, "18"},
        {UINT64_MAX, 1, 0, "1844674407370955162"},
        {UINT64_MAX, 0, 9, "18446744073709551615.000000000"},
    };
    char out[DECIMAL_SIZE];

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *text = text_decimal(out, cases[i].value, cases[i].scale, cases[i].places);
        assert_ptr_equal(text, out);
        assert_string_equal(text, cases[i].text);
    }
}

static void test_signed_decimals(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        unsigned scale, places;
        const char *text;
    } cases[] = {
        {0, 3, 3, "0.000"},
        {500, 3, 3, "+0.500"},
        {-500, 3, 3, "-0.500"},
        {-12345, 3, 1, "-12.3"},
        {-12350, 3, 1, "-12.4"}, // half away from zero, on both sides
        {12350, 3, 1, "+12.4"},
        {-4, 1, 0, "0"}, // rounds to 0: no sign
        {4, 1, 0, "0"},
        {-5, 1, 0, "-1"},
        {INT64_MAX, 0, 0, "+9223372036854775807"},
        {INT64_MIN, 0, 0, "-9223372036854775808"},
        {INT64_MIN, 18, 18, "-9.223372036854775808"},
    };
    char out[DECIMAL_SIZE];

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_string_equal(
            text_signed_decimal(out, cases[i].value, cases[i].scale, cases[i].places),
            cases[i].text);
}

// Against 128-bit arithmetic: |printed * 10^scale - value * 10^places| <= 10^scale / 2.
static void test_random_decimals_are_the_nearest(void **state)
{
    (void)state;
    struct stream source = {.random = 1};

    for (int i = 0; i < 100000; i++) {
        uint64_t value = stream_random(&source) >> stream_below(&source, 64);
        unsigned scale = (unsigned)stream_below(&source, 19);
        unsigned places = (unsigned)stream_below(&source, scale + 1);
        char out[DECIMAL_SIZE];
        text_decimal(out, value, scale, places);
        uint128 printed = 0, unit = 1;
        size_t after_point = 0;
        bool point = false;
        for (const char *at = out; *at; at++) {
            point |= *at == '.';
            if (*at == '.')
                continue;
            assert_in_range(*at, '0', '9');
            printed = printed * 10 + (unsigned)(*at - '0');
            after_point += point;
        }
        assert_int_equal(after_point, places);
        for (unsigned j = places; j < scale; j++)
            unit *= 10;
        uint128 up = printed * unit;
        uint128 error = up > value ? up - value : value - up;
        assert_true(2 * error <= unit);
        assert_true(2 * error < unit || unit == 1 || up > value); // a half goes away from zero
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_length_and_comparison),
        cmocka_unit_test(test_a_text_grows),
        cmocka_unit_test(test_what_does_not_fit_is_dropped),
        cmocka_unit_test(test_print_tells_what_it_wrote),
        cmocka_unit_test(test_formats_are_those_of_printf),
        cmocka_unit_test(test_a_string_need_not_end_within_its_precision),
        cmocka_unit_test(test_decimals),
        cmocka_unit_test(test_signed_decimals),
        cmocka_unit_test(test_random_decimals_are_the_nearest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
