// A piece of a longer string, and what it can be read as: the words and values of the option line.
#pragma once

#include "lib/text.h"
#include "lib/types.h"

struct span {
    const char *start;
    size_t length;
};

struct span span_of(const char *string);

// Are they equal, and does it begin so?
bool span_is(struct span span, const char *string);
bool span_begins(struct span span, const char *prefix);
// Whether it is one of `words`, which have a '|' between them.
bool span_is_one_of(struct span span, const char *words);

// Splits *span at its first `separator`: gives what is before it, and leaves what is behind it.
// Without one it gives all, and leaves a span whose start is NULL.
struct span span_take(struct span *span, char separator);

// Takes the next word, which ends at white space, off *line. Length 0: there is none.
struct span span_take_word(const char **line);

// Copies it whole and NUL-terminated. False where it is empty, does not fit, or holds a character
// that is not printable ASCII.
bool span_copy(char *out, size_t size, struct span span);

// Writes `prefix` and the span for people to read: '?' stands for what is not printable, and "..."
// at the end for what does not fit. `prefix` must not be in `out`.
void span_show(char *out, size_t size, const char *prefix, struct span span);

struct unit {
    const char *name; // NULL ends a table
    uint64_t scale;   // how many of the smallest unit it is
};

// Reads a decimal number with a unit ("1.5s") as so many of the smallest unit; "0" needs no unit.
// Nothing is rounded. False for what is no such number, no whole number of the smallest unit, or
// not in [low, high].
bool span_number(struct span span, const struct unit *units, uint64_t low, uint64_t high,
                 uint64_t *result);
