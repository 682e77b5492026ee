// Reads the records of a run: JSON Lines, one flat object a line.
#pragma once

#include "lib/types.h"

struct record {
    const char *line; // without the newline
    size_t length;
};

// Takes the next line from *cursor; false at the end of the text or at a line that has no end.
bool record_next(const char **cursor, struct record *record);

// A flat JSON object whose first key is "record"? Strings, numbers, true, false and null are
// values.
bool record_is_sound(const struct record *record);

// The first record of this name in which `key` is the string `value`; `key` NULL: the first one.
bool record_find(const char *lines, const char *name, const char *key, const char *value,
                 struct record *record);
size_t record_count(const char *lines, const char *name);

// Is `key` there and this string, null, true?
bool record_is(const struct record *record, const char *key, const char *value);
bool record_is_null(const struct record *record, const char *key);
bool record_is_true(const struct record *record, const char *key);

// The first line of a text report that is over 100 columns wide or ends in a space; NULL: none is.
// Records among the lines, and the options as they were given, may be as long as they are.
const char *record_untidy_line(const char *text);

// The number under `key`, times 1000: hertz become millihertz. False if there is none, or it has
// more than three decimals.
bool record_thousandths(const struct record *record, const char *key, int64_t *value);
// The same for a number that must be whole.
bool record_integer(const struct record *record, const char *key, int64_t *value);
