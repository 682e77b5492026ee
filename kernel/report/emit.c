#include "kernel/report/emit.h"

#include "kernel/console/console.h"

static struct {
    unsigned records;
    unsigned points;
    struct emit_notes notes;
    struct json json;
    char line[8192]; // an option line of 2 KiB takes up to 6 bytes a character in JSON
} emit;

void emit_start(void)
{
    emit.records = 0;
    emit.points = 0;
    emit.notes.count = 0;
    console_write(SINK_TAP, "TAP version 14\n", 15);
}

__attribute__((format(printf, 3, 0))) static void
write_formatted(unsigned formats, const char *prefix, const char *format,
                __builtin_va_list arguments, const char *suffix)
{
    char buffer[512];
    struct text text;

    if (!console_wants(formats))
        return;
    text_init(&text, buffer, sizeof(buffer));
    text_string(&text, prefix);
    text_vformat(&text, format, arguments);
    text_string(&text, suffix);
    console_write(formats, buffer, text.used);
}

void emit_text(const char *format, ...)
{
    __builtin_va_list arguments;

    __builtin_va_start(arguments, format);
    write_formatted(SINK_TEXT, "", format, arguments, "");
    __builtin_va_end(arguments);
}

void emit_page(const char *format, ...)
{
    __builtin_va_list arguments;

    __builtin_va_start(arguments, format);
    write_formatted(SINK_PAGE, "", format, arguments, "");
    __builtin_va_end(arguments);
}

#define WRAP_COLUMNS 78
void emit_wrapped(const char *prefix, const char *sentence)
{
    size_t indent = text_length(prefix);

    emit_text("%s", prefix);
    while (text_length(sentence) > WRAP_COLUMNS - indent) {
        size_t cut = WRAP_COLUMNS - indent;
        while (cut > 0 && sentence[cut] != ' ')
            cut--;
        if (cut == 0)
            break;
        emit_text("%.*s\n%*s", (int)cut, sentence, (int)indent, "");
        sentence += cut + 1;
    }
    emit_text("%s\n", sentence);
}

void emit_record(const char *name)
{
    // One byte is kept for the newline.
    json_begin(&emit.json, emit.line, sizeof(emit.line) - 1, name);
}

void record_string(const char *key, const char *value)
{
    json_string(&emit.json, key, value);
}

void record_bool(const char *key, bool value)
{
    json_bool(&emit.json, key, value);
}

void record_null(const char *key)
{
    json_null(&emit.json, key);
}

void record_u64(const char *key, uint64_t value)
{
    json_u64(&emit.json, key, value);
}

void record_s64(const char *key, int64_t value)
{
    json_s64(&emit.json, key, value);
}

void record_decimal(const char *key, uint64_t value, unsigned scale)
{
    json_decimal(&emit.json, key, value, scale);
}

void record_word(const char *key, uint32_t value)
{
    json_word(&emit.json, key, value);
}

void emit_record_end(void)
{
    size_t length = text_length(json_end(&emit.json));

    emit.records++;
    emit.line[length] = '\n';
    console_write(SINK_JSON, emit.line, length + 1);
}

unsigned emit_record_count(void)
{
    return emit.records;
}

void emit_point(bool ok, const char *skip, const char *format, ...)
{
    char prefix[24];
    char suffix[160];
    __builtin_va_list arguments;

    emit.points++;
    text_print(prefix, sizeof(prefix), "%s %u - ", ok || skip ? "ok" : "not ok", emit.points);
    text_print(suffix, sizeof(suffix), "%s%s\n", skip ? " # SKIP " : "", skip ? skip : "");
    __builtin_va_start(arguments, format);
    write_formatted(SINK_TAP, prefix, format, arguments, suffix);
    __builtin_va_end(arguments);
}

void emit_diagnostic(const char *format, ...)
{
    __builtin_va_list arguments;

    __builtin_va_start(arguments, format);
    write_formatted(SINK_TAP, "# ", format, arguments, "\n");
    __builtin_va_end(arguments);
}

void emit_plan(void)
{
    char plan[24];

    console_write(SINK_TAP, plan, text_print(plan, sizeof(plan), "1..%u\n", emit.points));
}

const struct emit_notes *emit_notes(void)
{
    return &emit.notes;
}

static void remember(const char *prefix, const char *sentence)
{
    size_t index = emit.notes.count++;
    struct text text;

    if (index >= ARRAY_SIZE(emit.notes.first))
        return;
    text_init(&text, emit.notes.first[index], sizeof(emit.notes.first[index]));
    text_format(&text, "%s%s", prefix, sentence);
    if (text.truncated)
        memcpy(text.data + text.used - 3, "...", 3);
}

void emit_note(const char *level, const char *format, ...)
{
    char sentence[384], prefix[12];
    struct text text;
    __builtin_va_list arguments;

    text_init(&text, sentence, sizeof(sentence));
    __builtin_va_start(arguments, format);
    text_vformat(&text, format, arguments);
    __builtin_va_end(arguments);
    text_print(prefix, sizeof(prefix), "%s: ", level);
    emit_wrapped(prefix, sentence);
    if (!text_equal(level, "info"))
        remember(prefix, sentence);
    emit_diagnostic("%s: %s", level, sentence);
    emit_record("note");
    record_string("level", level);
    record_string("text", sentence);
    emit_record_end();
}
