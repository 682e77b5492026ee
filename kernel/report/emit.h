// How a report reaches the sinks: text by the line, records by the object, TAP by the test point.
#pragma once

#include "lib/json.h"
#include "lib/options.h"

// Starts a report: no records or test points yet. Writes the TAP version line.
void emit_start(void);

// Text for people, to the sinks that get text. At most 255 characters a call, at most 100 columns a
// line.
void emit_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

// A sentence for people, in lines of at most 78 columns, broken at spaces. The first one begins
// with `prefix`, and the others are indented by its length.
void emit_wrapped(const char *prefix, const char *sentence);

// The page for screens: as emit_text.
void emit_page(const char *format, ...) __attribute__((format(printf, 1, 2)));

// A record for programs, to the sinks that get JSON:
//     emit_record("claim");
//     record_string("source", claim->source);
//     emit_record_end();
// The fields are those of lib/json.h.
void emit_record(const char *name);
void record_string(const char *key, const char *value);
void record_bool(const char *key, bool value);
void record_null(const char *key);
void record_u64(const char *key, uint64_t value);
void record_s64(const char *key, int64_t value);
void record_decimal(const char *key, uint64_t value, unsigned scale);
void record_word(const char *key, uint32_t value);
void emit_record_end(void);
unsigned emit_record_count(void);

// A TAP 14 test point. `skip` NULL: it counts as ok says; else it is skipped for that reason.
void emit_point(bool ok, const char *skip, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// A TAP diagnostic under the last point.
void emit_diagnostic(const char *format, ...) __attribute__((format(printf, 1, 2)));
// The plan, which TAP allows at the end.
void emit_plan(void);

// A sentence that belongs to the report wherever it goes: text, note record, TAP comment. `level`
// is "info", "warning" or "error".
void emit_note(const char *level, const char *format, ...) __attribute__((format(printf, 2, 3)));

// The errors and warnings of the report so far: how many, and the first ones as far as they fit a
// row of a screen, with "..." where they were cut.
struct emit_notes {
    size_t count;
    char first[3][81];
};
const struct emit_notes *emit_notes(void);
