// One flat JSON object a line (JSON Lines, RFC 8259 strings), built in a caller's buffer.
//
// Usage: json_begin(&json, buffer, size, "claim"); json_string(&json, "source", "leaf-0x15"); ...
// const char *line = json_end(&json);  // "{"record":"claim","source":"leaf-0x15"}" with no newline
// A record that does not fit is closed early at the last whole field and gets "truncated":true.
#pragma once

#include "lib/text.h"

struct json {
    struct text text;
    bool full;
};

// `size` is at least 64.
void json_begin(struct json *json, char *buffer, size_t size, const char *record);
// NULL writes null. Bytes outside printable ASCII are written as \u00XX.
void json_string(struct json *json, const char *key, const char *value);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);
void json_u64(struct json *json, const char *key, uint64_t value);
void json_s64(struct json *json, const char *key, int64_t value);
// value / 10^scale as a decimal number with trailing zeros removed: 1000000000000 scale 3 writes
// 1000000000; 1193181818 scale 3 writes 1193181.818.
void json_decimal(struct json *json, const char *key, uint64_t value, unsigned scale);
// A CPUID word as the string "0x%08x".
void json_word(struct json *json, const char *key, uint32_t value);
const char *json_end(struct json *json);
