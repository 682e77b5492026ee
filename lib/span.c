#include "lib/span.h"

struct span span_of(const char *string)
{
    return (struct span){string, text_length(string)};
}

static bool equal(struct span a, struct span b)
{
    return a.length == b.length && memcmp(a.start, b.start, a.length) == 0;
}

bool span_is(struct span span, const char *string)
{
    return equal(span, span_of(string));
}

bool span_begins(struct span span, const char *prefix)
{
    size_t length = text_length(prefix);

    return span.length >= length && memcmp(span.start, prefix, length) == 0;
}

bool span_is_one_of(struct span span, const char *words)
{
    struct span rest = span_of(words);

    while (rest.start)
        if (equal(span, span_take(&rest, '|')))
            return true;
    return false;
}

struct span span_take(struct span *span, char separator)
{
    struct span all = *span;

    for (size_t i = 0; i < all.length; i++) {
        if (all.start[i] != separator)
            continue;
        *span = (struct span){all.start + i + 1, all.length - i - 1};
        return (struct span){all.start, i};
    }
    *span = (struct span){NULL, 0};
    return all;
}

static bool is_blank(char character)
{
    return character == ' ' || character == '\t' || character == '\r' || character == '\n';
}

struct span span_take_word(const char **line)
{
    while (is_blank(**line))
        ++*line;
    struct span word = {*line, 0};
    for (; **line && !is_blank(**line); ++*line)
        word.length++;
    return word;
}

static bool is_printable(char character)
{
    return character > ' ' && character <= '~';
}

bool span_copy(char *out, size_t size, struct span span)
{
    if (span.length == 0 || span.length >= size)
        return false;
    for (size_t i = 0; i < span.length; i++) {
        if (!is_printable(span.start[i]))
            return false;
        out[i] = span.start[i];
    }
    out[span.length] = '\0';
    return true;
}

void span_show(char *out, size_t size, const char *prefix, struct span span)
{
    struct text text;

    text_init(&text, out, size);
    text_string(&text, prefix);
    for (size_t i = 0; i < span.length && !text.truncated; i++)
        text_char(&text, (char)(is_printable(span.start[i]) ? span.start[i] : '?'));
    for (size_t i = 0; text.truncated && i < 3; i++)
        out[size - 2 - i] = '.';
}

// Reads digits off the front of *span into *number. False: none, or more than 64 bits hold.
static bool take_digits(struct span *span, uint64_t *number)
{
    size_t length = 0;

    for (; length < span->length; length++) {
        char character = span->start[length];
        if (character < '0' || character > '9')
            break;
        if (__builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, (unsigned)(character - '0'), number))
            return false;
    }
    *span = (struct span){span->start + length, span->length - length};
    return length > 0;
}

bool span_number(struct span span, const struct unit *units, uint64_t low, uint64_t high,
                 uint64_t *result)
{
    uint64_t number = 0, scale = 1;
    size_t places = 0;

    if (span.length == 0 || !take_digits(&span, &number))
        return false;
    if (span.length && span.start[0] == '.') {
        struct span fraction = {span.start + 1, span.length - 1};
        span = fraction;
        if (!take_digits(&span, &number))
            return false;
        places = fraction.length - span.length;
    }
    while (units->name && !span_is(span, units->name))
        units++;
    if (units->name)
        scale = units->scale;
    else if (number || span.length) // a zero is the same in every unit, and needs none
        return false;
    // Each place after the point is a power of ten that either the digits or the unit must have.
    for (; number && places; places--) {
        uint64_t *divisible = number % 10 == 0 ? &number : &scale;
        if (*divisible % 10)
            return false;
        *divisible /= 10;
    }
    if (__builtin_mul_overflow(number, scale, &number) || number < low || number > high)
        return false;
    *result = number;
    return true;
}
