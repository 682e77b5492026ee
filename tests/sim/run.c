#include "tests/sim/run.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "lib/text.h"

struct sim_result result;

void run(const struct sim_config *config)
{
    const char *lines = result.com2.bytes;
    struct record record;

    sim_run(config, &result);
    sim_print_violations(&result);
    assert_int_equal(result.violation_count, 0);
    assert_int_not_equal(result.exit, SIM_HUNG);
    while (record_next(&lines, &record))
        if (!record_is_sound(&record))
            fail_msg("no sound record: %.*s", (int)record.length, record.line);
    assert_int_equal(*lines, 0);
    const char *untidy = record_untidy_line(result.com1.bytes);
    if (untidy)
        fail_msg("over 100 columns, or a space at the end: \"%.*s\"", (int)strcspn(untidy, "\r\n"),
                 untidy);
}

struct record find(const char *name, const char *key, const char *value)
{
    struct record record;

    if (!record_find(result.com2.bytes, name, key, value, &record))
        fail_msg("there is no %s record with %s %s in\n%s\n%s", name, key, value, result.com1.bytes,
                 result.com2.bytes);
    return record;
}

void expect(struct record record, const char *key, const char *value)
{
    if (!record_is(&record, key, value))
        fail_msg("expected %s to be %s: %.*s", key, value, (int)record.length, record.line);
}

void expect_end(const char *outcome)
{
    expect(find("end", NULL, NULL), "result", outcome);
}

int64_t number(struct record record, const char *key)
{
    int64_t value = 0;

    if (!record_integer(&record, key, &value))
        fail_msg("%s is no integer: %.*s", key, (int)record.length, record.line);
    return value;
}

void expect_failed(const char *ids)
{
    const char *lines = result.com2.bytes;
    char failed[256], id[61];
    struct text text;
    struct record record;

    text_init(&text, failed, sizeof(failed));
    while (record_next(&lines, &record))
        if (sscanf(record.line, "{\"record\":\"check\",\"id\":\"%60[a-z0-9-]", id) == 1 &&
            record_is(&record, "result", "fail"))
            text_format(&text, "%s ", id);
    assert_string_equal(failed, ids);
}
