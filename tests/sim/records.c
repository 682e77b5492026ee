#include "tests/sim/records.h"

#include <string.h>

struct piece {
    const char *start;
    size_t length;
};

static bool piece_is(struct piece piece, const char *string)
{
    return piece.length == strlen(string) && !memcmp(piece.start, string, piece.length);
}

// A string without its quotes; escapes are checked, not decoded.
static bool take_string(const char **cursor, const char *end, struct piece *string)
{
    const char *c = *cursor;

    if (c == end || *c++ != '"')
        return false;
    string->start = c;
    for (; c < end && *c != '"'; c++) {
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
            return false;
        if (*c == '\\' && (++c == end || !strchr("\"\\/bfnrtu", *c)))
            return false;
    }
    if (c == end)
        return false;
    string->length = (size_t)(c - string->start);
    *cursor = c + 1;
    return true;
}

static bool is_number(struct piece piece)
{
    const char *c = piece.start, *end = c + piece.length;

    if (c < end && *c == '-')
        c++;
    const char *digits = c;
    while (c < end && *c >= '0' && *c <= '9')
        c++;
    if (c == digits || (*digits == '0' && c - digits > 1))
        return false;
    if (c == end)
        return true;
    if (*c++ != '.' || c == end)
        return false;
    while (c < end && *c >= '0' && *c <= '9')
        c++;
    return c == end;
}

enum kind { STRING, NUMBER, WORD };

static bool take_value(const char **cursor, const char *end, struct piece *value, enum kind *kind)
{
    *kind = STRING;
    if (*cursor < end && **cursor == '"')
        return take_string(cursor, end, value);
    value->start = *cursor;
    while (*cursor < end && **cursor != ',' && **cursor != '}')
        ++*cursor;
    value->length = (size_t)(*cursor - value->start);
    *kind = is_number(*value) ? NUMBER : WORD;
    return *kind == NUMBER || piece_is(*value, "true") || piece_is(*value, "false") ||
           piece_is(*value, "null");
}

// Walks through the fields until one has this key. `key` NULL: to the end, true if all is sound.
static bool walk(const struct record *record, const char *key, struct piece *value, enum kind *kind)
{
    const char *c = record->line, *end = c + record->length;
    struct piece name;

    if (c == end || *c++ != '{')
        return false;
    for (unsigned i = 0;; i++) {
        if (!take_string(&c, end, &name) || c == end || *c++ != ':' ||
            !take_value(&c, end, value, kind) || c == end)
            return false;
        if (i == 0 && (!piece_is(name, "record") || *kind != STRING))
            return false;
        if (key && piece_is(name, key))
            return true;
        if (*c == '}')
            return !key && c + 1 == end;
        c++;
    }
}

bool record_next(const char **cursor, struct record *record)
{
    const char *newline = strchr(*cursor, '\n');

    if (!newline)
        return false;
    record->line = *cursor;
    record->length = (size_t)(newline - *cursor);
    if (record->length && newline[-1] == '\r')
        record->length--;
    *cursor = newline + 1;
    return true;
}

bool record_is_sound(const struct record *record)
{
    struct piece value;
    enum kind kind;

    return walk(record, NULL, &value, &kind);
}

bool record_is(const struct record *record, const char *key, const char *value)
{
    struct piece found;
    enum kind kind;

    return walk(record, key, &found, &kind) && kind == STRING && piece_is(found, value);
}

static bool is_word(const struct record *record, const char *key, const char *word)
{
    struct piece found;
    enum kind kind;

    return walk(record, key, &found, &kind) && kind == WORD && piece_is(found, word);
}

bool record_is_null(const struct record *record, const char *key)
{
    return is_word(record, key, "null");
}

bool record_is_true(const struct record *record, const char *key)
{
    return is_word(record, key, "true");
}

bool record_find(const char *lines, const char *name, const char *key, const char *value,
                 struct record *record)
{
    while (record_next(&lines, record))
        if (record_is(record, "record", name) && (!key || record_is(record, key, value)))
            return true;
    return false;
}

size_t record_count(const char *lines, const char *name)
{
    struct record record;
    size_t count = 0;

    while (record_next(&lines, &record))
        count += record_is(&record, "record", name);
    return count;
}

bool record_thousandths(const struct record *record, const char *key, int64_t *value)
{
    struct piece found;
    enum kind kind;
    int64_t sum = 0;
    int decimals = -1; // -1: before the point

    if (!walk(record, key, &found, &kind) || kind != NUMBER)
        return false;
    bool negative = *found.start == '-';
    for (size_t i = negative; i < found.length; i++) {
        if (found.start[i] == '.') {
            decimals = 0;
            continue;
        }
        if (decimals >= 0 && ++decimals > 3)
            return false;
        if (__builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, found.start[i] - '0', &sum))
            return false;
    }
    for (int i = decimals < 0 ? 0 : decimals; i < 3; i++)
        if (__builtin_mul_overflow(sum, 10, &sum))
            return false;
    *value = negative ? -sum : sum;
    return true;
}

bool record_integer(const struct record *record, const char *key, int64_t *value)
{
    struct piece found;
    enum kind kind;
    int64_t sum = 0;

    if (!walk(record, key, &found, &kind) || kind != NUMBER)
        return false;
    bool negative = *found.start == '-';
    for (size_t i = negative; i < found.length; i++)
        if (found.start[i] == '.' || __builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, found.start[i] - '0', &sum))
            return false;
    *value = negative ? -sum : sum;
    return true;
}

const char *record_untidy_line(const char *text)
{
    static const char *const free[] = {"{\"record\"", "options ", "ok ", "not ok ", "# "};

    for (size_t length; *text; text += length + (text[length] != '\0')) {
        bool exempt = false;
        length = strcspn(text, "\n");
        size_t shown = length && text[length - 1] == '\r' ? length - 1 : length;
        for (size_t i = 0; i < sizeof(free) / sizeof(free[0]); i++)
            exempt |= !strncmp(text, free[i], strlen(free[i]));
        if (!exempt && (shown > 100 || (shown && text[shown - 1] == ' ')))
            return text;
    }
    return NULL;
}
