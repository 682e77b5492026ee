// Tests of the reader of records, which other tests rely on.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "tests/sim/records.h"

static const char lines[] = "{\"record\":\"start\",\"version\":1}\r\n"
                            "{\"record\":\"claim\",\"source\":\"a\",\"hz\":2596130000.125}\n"
                            "{\"record\":\"claim\",\"source\":\"b\\\"c\",\"hz\":null,\"ppb\":-17}\n"
                            "{\"record\":\"end\",\"ok\":true";

static struct record of(const char *line)
{
    return (struct record){line, strlen(line)};
}

static void test_walk(void **state)
{
    (void)state;
    const char *cursor = lines;
    struct record record;

    for (unsigned i = 0; i < 3; i++) {
        assert_true(record_next(&cursor, &record));
        assert_true(record_is_sound(&record));
    }
    assert_false(record_next(&cursor, &record)); // the last line is cut short
    assert_int_equal(record_count(lines, "claim"), 2);
    assert_int_equal(record_count(lines, "end"), 0);
}

static void test_fields(void **state)
{
    (void)state;
    struct record record;
    int64_t value;

    assert_true(record_find(lines, "claim", "source", "a", &record));
    assert_true(record_thousandths(&record, "hz", &value));
    assert_int_equal(value, 2596130000125);
    assert_false(record_integer(&record, "hz", &value));
    assert_false(record_is(&record, "hz", "2596130000.125"));
    assert_true(record_find(lines, "claim", "source", "b\\\"c", &record));
    assert_true(record_is_null(&record, "hz"));
    assert_false(record_thousandths(&record, "hz", &value));
    assert_true(record_integer(&record, "ppb", &value));
    assert_int_equal(value, -17);
    assert_true(record_thousandths(&record, "ppb", &value));
    assert_int_equal(value, -17000);
    assert_false(record_integer(&record, "absent", &value));
    assert_false(record_find(lines, "claim", "source", "z", &record));
    assert_true(record_find(lines, "start", NULL, NULL, &record));
}

static void test_unsound(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "{}",
        "{\"record\":1}",
        "{\"other\":\"start\"}",
        "{\"record\":\"a\"} ",
        "{\"record\":\"a\",}",
        "{\"record\":\"a\",\"b\":01}",
        "{\"record\":\"a\",\"b\":1.}",
        "{\"record\":\"a\",\"b\":nul}",
        "{\"record\":\"a\",\"b\":\"\t\"}",
        "{\"record\":\"a\",\"b\":\"\\x\"}",
        "{\"record\":\"a\",\"b\":{}}",
        "{\"record\":\"a\"\"b\":1}",
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct record record = of(bad[i]);
        if (record_is_sound(&record))
            fail_msg("taken for a record: %s", bad[i]);
    }
    struct record good = of("{\"record\":\"a\",\"b\":\"\\u0007\",\"c\":0,\"d\":-0.5,\"e\":false}");
    assert_true(record_is_sound(&good));
    struct record precise = of("{\"record\":\"a\",\"b\":0.1234}");
    int64_t value;
    assert_false(record_thousandths(&precise, "b", &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_unsound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
