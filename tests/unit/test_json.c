#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lib/json.h"

static void test_every_kind_of_field(void **state)
{
    (void)state;
    char buffer[512];
    struct json json;

    json_begin(&json, buffer, sizeof(buffer), "claim");
    json_string(&json, "source", "leaf-0x15");
    json_string(&json, "vendor", NULL);
    json_bool(&json, "yes", true);
    json_bool(&json, "no", false);
    json_null(&json, "nothing");
    json_u64(&json, "count", UINT64_MAX);
    json_s64(&json, "low", INT64_MIN);
    json_s64(&json, "high", 5);
    json_decimal(&json, "hz", 1193181818, 3);
    json_word(&json, "eax", 0xbeef);
    assert_string_equal(json_end(&json),
                        "{\"record\":\"claim\",\"source\":\"leaf-0x15\",\"vendor\":null,"
                        "\"yes\":true,\"no\":false,\"nothing\":null,"
                        "\"count\":18446744073709551615,\"low\":-9223372036854775808,\"high\":5,"
                        "\"hz\":1193181.818,\"eax\":\"0x0000beef\"}");
}

static void test_a_record_without_fields(void **state)
{
    (void)state;
    char buffer[64];
    struct json json;

    json_begin(&json, buffer, sizeof(buffer), "end");
    assert_string_equal(json_end(&json), "{\"record\":\"end\"}");
}

static void test_strings_are_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *string, *written;
    } cases[] = {
        {"", ""},
        {"plain text ~ /", "plain text ~ /"},
        {"\"quoted\"", "\\\"quoted\\\""},
        {"back\\slash", "back\\\\slash"},
        {"\n\t\r\b", "\\u000a\\u0009\\u000d\\u0008"},
        {"\001\037\177", "\\u0001\\u001f\\u007f"},
        {"\200\377", "\\u0080\\u00ff"},
        {"\303\274", "\\u00c3\\u00bc"},
    };
    char buffer[256], expected[256];
    struct json json;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        text_print(expected, sizeof(expected), "{\"record\":\"x\",\"s\":\"%s\"}", cases[i].written);
        json_begin(&json, buffer, sizeof(buffer), "x");
        json_string(&json, "s", cases[i].string);
        assert_string_equal(json_end(&json), expected);
    }
}

static void test_decimals_have_no_trailing_zeros(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        unsigned scale;
        const char *written;
    } cases[] = {
        {0, 0, "0"},
        {0, 3, "0"},
        {1, 3, "0.001"},
        {10, 3, "0.01"},
        {1000000000000, 3, "1000000000"},
        {2596130164800, 3, "2596130164.8"},
        {100, 0, "100"},
        {UINT64_MAX, 3, "18446744073709551.615"},
        {UINT64_MAX, 18, "18.446744073709551615"},
    };
    char buffer[128], expected[128];
    struct json json;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        text_print(expected, sizeof(expected), "{\"record\":\"x\",\"hz\":%s}", cases[i].written);
        json_begin(&json, buffer, sizeof(buffer), "x");
        json_decimal(&json, "hz", cases[i].value, cases[i].scale);
        assert_string_equal(json_end(&json), expected);
    }
}

// Writes a record of 20 fields, each `"fNN":NN`, into so many bytes.
static const char *write_fields(char *buffer, size_t size)
{
    struct json json;

    json_begin(&json, buffer, size, "x");
    for (unsigned i = 10; i < 30; i++) {
        char key[4];
        text_print(key, sizeof(key), "f%u", i);
        json_u64(&json, key, i);
    }
    return json_end(&json);
}

static void test_what_does_not_fit_is_cut_at_a_field(void **state)
{
    (void)state;
    char whole[512];
    size_t whole_size = strlen(write_fields(whole, sizeof(whole))) + 1;
    static const char cut[] = ",\"truncated\":true}";

    for (size_t size = 64; size <= sizeof(whole); size++) {
        char buffer[sizeof(whole) + 16];
        memset(buffer, 'x', sizeof(buffer));
        const char *line = write_fields(buffer, size);
        assert_ptr_equal(line, buffer);
        size_t length = strlen(line);
        assert_true(length < size);
        for (size_t i = size; i < sizeof(buffer); i++)
            assert_int_equal(buffer[i], 'x');
        if (strcmp(line, whole) == 0)
            continue;
        // Not whole: it is as long as it can be, and ends behind a whole field, in the mark.
        assert_true(size < whole_size + strlen(cut));
        assert_true(length > size - 1 - strlen(",\"f10\":10"));
        size_t kept = length - strlen(cut);
        assert_string_equal(line + kept, cut);
        assert_memory_equal(line, whole, kept);
        assert_int_equal(whole[kept], ',');
    }
}

static void test_nothing_follows_a_field_that_did_not_fit(void **state)
{
    (void)state;
    char buffer[64];
    struct json json;

    json_begin(&json, buffer, sizeof(buffer), "x");
    json_u64(&json, "a", 1);
    json_string(&json, "b", "a string that is too long for a record of 64 bytes, by far");
    json_u64(&json, "c", 1);
    json_null(&json, "d");
    json_word(&json, "e", 1);
    assert_string_equal(json_end(&json), "{\"record\":\"x\",\"a\":1,\"truncated\":true}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_of_field),
        cmocka_unit_test(test_a_record_without_fields),
        cmocka_unit_test(test_strings_are_escaped),
        cmocka_unit_test(test_decimals_have_no_trailing_zeros),
        cmocka_unit_test(test_what_does_not_fit_is_cut_at_a_field),
        cmocka_unit_test(test_nothing_follows_a_field_that_did_not_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
