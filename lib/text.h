// Strings and number formatting: the little of a C library that the image needs.
#pragma once

#include "lib/types.h"

// memcpy, memmove, memset, memcmp with their C11 meaning (7.24): the compiler emits calls to them.
// lib/memory.c holds them; the host build uses the host's.
void *memcpy(void *restrict to, const void *restrict from, size_t length);
void *memmove(void *to, const void *from, size_t length);
void *memset(void *to, int byte, size_t length);
int memcmp(const void *a, const void *b, size_t length);

// Length of a NUL-terminated string, and equality of two. (Not named strlen and strcmp: the host
// build has those.)
size_t text_length(const char *string);
bool text_equal(const char *a, const char *b);
bool text_starts_with(const char *string, const char *prefix);

// A bounded string under construction. It is always NUL-terminated; what does not fit is dropped
// and `truncated` says so.
struct text {
    char *data;
    size_t size; // of the buffer, at least 1
    size_t used; // characters before the NUL
    bool truncated;
};

// An empty text in a buffer of `size` bytes; a character, and a string, behind what is in it.
void text_init(struct text *text, char *buffer, size_t size);
void text_char(struct text *text, char character);
void text_string(struct text *text, const char *string);

// Formats like printf with this subset: %s %c %u %d %x %X %% with an optional '-' or '0', a width
// (or *), a precision for %s, and the length modifiers l, ll and z.
void text_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_vformat(struct text *text, const char *format, __builtin_va_list arguments)
    __attribute__((format(printf, 2, 0)));

// snprintf's shape over the same subset; returns the characters written before the NUL.
size_t text_print(char *buffer, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Room for any number that text_decimal or text_signed_decimal writes.
#define DECIMAL_SIZE 32

// Writes `value` / 10^scale as a decimal with exactly `places` digits after the point (0 to 18; no
// point for 0), rounded half away from zero, and returns `out`. scale 0 to 18. So
// text_decimal(out, 2596130164800, 9, 6) gives "2596.130165": millihertz printed as MHz.
const char *text_decimal(char out[DECIMAL_SIZE], uint64_t value, unsigned scale, unsigned places);

// The same for signed values, with a leading '+' or '-' (none for a value that rounds to 0).
const char *text_signed_decimal(char out[DECIMAL_SIZE], int64_t value, unsigned scale,
                                unsigned places);
