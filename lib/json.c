#include "lib/json.h"

// How a record ends that was cut. Room for it is kept from the start.
#define CUT "\"truncated\":true}"

static bool fits(const struct text *text)
{
    return !text->truncated && text->used + sizeof("," CUT) <= text->size;
}

// A field is written between these two. What does not fit is taken back as a whole, and nothing
// follows it: a record with a hole in it would pass for a whole one.
static size_t begin_field(struct json *json, const char *key)
{
    size_t start = json->text.used;

    text_format(&json->text, ",\"%s\":", key);
    return start;
}

static void end_field(struct json *json, size_t start)
{
    if (!json->full && fits(&json->text))
        return;
    json->full = true;
    json->text.used = start;
    json->text.data[start] = '\0';
}

static void put_string(struct text *text, const char *value)
{
    text_char(text, '"');
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            text_format(text, "\\%c", *value);
        else if (*value < ' ' || *value > '~')
            text_format(text, "\\u%04x", (unsigned char)*value);
        else
            text_char(text, *value);
    }
    text_char(text, '"');
}

void json_begin(struct json *json, char *buffer, size_t size, const char *record)
{
    text_init(&json->text, buffer, size);
    text_string(&json->text, "{\"record\":");
    put_string(&json->text, record);
    json->full = !fits(&json->text);
}

void json_string(struct json *json, const char *key, const char *value)
{
    size_t start = begin_field(json, key);

    if (value)
        put_string(&json->text, value);
    else
        text_string(&json->text, "null");
    end_field(json, start);
}

// A value that needs no quotes.
static void put_plain(struct json *json, const char *key, const char *value)
{
    size_t start = begin_field(json, key);

    text_string(&json->text, value);
    end_field(json, start);
}

void json_bool(struct json *json, const char *key, bool value)
{
    put_plain(json, key, value ? "true" : "false");
}

void json_null(struct json *json, const char *key)
{
    put_plain(json, key, "null");
}

void json_u64(struct json *json, const char *key, uint64_t value)
{
    char number[DECIMAL_SIZE];

    put_plain(json, key, text_decimal(number, value, 0, 0));
}

void json_s64(struct json *json, const char *key, int64_t value)
{
    char number[DECIMAL_SIZE];

    text_print(number, sizeof(number), "%lld", (long long)value);
    put_plain(json, key, number);
}

void json_decimal(struct json *json, const char *key, uint64_t value, unsigned scale)
{
    char number[DECIMAL_SIZE];

    for (; scale > 0 && value % 10 == 0; scale--)
        value /= 10;
    put_plain(json, key, text_decimal(number, value, scale, scale));
}

void json_word(struct json *json, const char *key, uint32_t value)
{
    char word[DECIMAL_SIZE];

    text_print(word, sizeof(word), "\"0x%08x\"", value);
    put_plain(json, key, word);
}

const char *json_end(struct json *json)
{
    text_string(&json->text, json->full ? "," CUT : "}");
    return json->text.data;
}
