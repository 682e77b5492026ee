#include "lib/text.h"

size_t text_length(const char *string)
{
    size_t length = 0;

    while (string[length])
        length++;
    return length;
}

bool text_equal(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

bool text_starts_with(const char *string, const char *prefix)
{
    while (*prefix && *string == *prefix) {
        string++;
        prefix++;
    }
    return !*prefix;
}

void text_init(struct text *text, char *buffer, size_t size)
{
    *text = (struct text){buffer, size, 0, false};
    buffer[0] = '\0';
}

void text_char(struct text *text, char character)
{
    if (text->used + 1 >= text->size) {
        text->truncated = true;
        return;
    }
    text->data[text->used++] = character;
    text->data[text->used] = '\0';
}

void text_string(struct text *text, const char *string)
{
    while (*string)
        text_char(text, *string++);
}

// One conversion specification.
struct conversion {
    bool left, zero, is_long;
    int width, precision; // precision -1: none
    char kind;
};

static int read_number(const char **format, __builtin_va_list *arguments)
{
    int number = 0;

    if (**format == '*') {
        ++*format;
        return __builtin_va_arg(*arguments, int);
    }
    while (**format >= '0' && **format <= '9')
        number = number * 10 + (*(*format)++ - '0');
    return number;
}

// Parses what follows the '%'; leaves *format behind it.
static struct conversion read_conversion(const char **format, __builtin_va_list *arguments)
{
    struct conversion conversion = {.precision = -1};

    for (; **format == '-' || **format == '0'; ++*format) {
        conversion.left |= **format == '-';
        conversion.zero |= **format == '0';
    }
    conversion.width = read_number(format, arguments);
    if (**format == '.') {
        ++*format;
        conversion.precision = read_number(format, arguments);
    }
    // long, long long and size_t are all 64 bits wide here.
    for (; **format == 'l' || **format == 'z'; ++*format)
        conversion.is_long = true;
    conversion.kind = **format;
    if (**format)
        ++*format;
    return conversion;
}

_Static_assert(sizeof(long) == 8 && sizeof(long long) == 8 && sizeof(size_t) == 8,
               "the length modifiers l, ll and z mean the same");

static void pad(struct text *text, const struct conversion *conversion, size_t length)
{
    size_t width = conversion->width > 0 ? (size_t)conversion->width : 0;

    for (; length < width; length++)
        text_char(text, conversion->zero && !conversion->left ? '0' : ' ');
}

static void put(struct text *text, const struct conversion *conversion, const char *characters,
                size_t length)
{
    if (!conversion->left)
        pad(text, conversion, length);
    for (size_t i = 0; i < length; i++)
        text_char(text, characters[i]);
    if (conversion->left)
        pad(text, conversion, length);
}

static void put_string(struct text *text, struct conversion conversion, const char *string)
{
    size_t length = 0;

    if (!string)
        string = "(null)";
    while ((conversion.precision < 0 || length < (size_t)conversion.precision) && string[length])
        length++;
    conversion.zero = false;
    put(text, &conversion, string, length);
}

static void put_number(struct text *text, const struct conversion *conversion, uint64_t value,
                       bool negative)
{
    const char *digits = conversion->kind == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    unsigned base = conversion->kind == 'x' || conversion->kind == 'X' ? 16 : 10;
    char number[24]; // 20 digits of 2^64 - 1, and a sign
    size_t start = sizeof(number);

    do {
        number[--start] = digits[value % base];
        value /= base;
    } while (value);
    if (negative)
        number[--start] = '-';
    put(text, conversion, number + start, sizeof(number) - start);
}

void text_vformat(struct text *text, const char *format, __builtin_va_list arguments)
{
    // A parameter of array type cannot be pointed to; a copy can.
    __builtin_va_list rest;

    __builtin_va_copy(rest, arguments);
    while (*format) {
        if (*format != '%') {
            text_char(text, *format++);
            continue;
        }
        format++;
        struct conversion conversion = read_conversion(&format, &rest);
        switch (conversion.kind) {
        case 's':
            put_string(text, conversion, __builtin_va_arg(rest, const char *));
            break;
        case 'c': {
            char character = (char)__builtin_va_arg(rest, int);
            put(text, &conversion, &character, 1);
            break;
        }
        case 'd': {
            int64_t value =
                conversion.is_long ? __builtin_va_arg(rest, int64_t) : __builtin_va_arg(rest, int);
            put_number(text, &conversion, value < 0 ? -(uint64_t)value : (uint64_t)value,
                       value < 0);
            break;
        }
        case 'u':
        case 'x':
        case 'X':
            put_number(text, &conversion,
                       conversion.is_long ? __builtin_va_arg(rest, uint64_t)
                                          : __builtin_va_arg(rest, unsigned),
                       false);
            break;
        case '%':
            text_char(text, '%');
            break;
        default: // not in the subset: shown, so that it is noticed
            text_char(text, '?');
            break;
        }
    }
    __builtin_va_end(rest);
}

void text_format(struct text *text, const char *format, ...)
{
    __builtin_va_list arguments;

    __builtin_va_start(arguments, format);
    text_vformat(text, format, arguments);
    __builtin_va_end(arguments);
}

size_t text_print(char *buffer, size_t size, const char *format, ...)
{
    struct text text;
    __builtin_va_list arguments;

    text_init(&text, buffer, size);
    __builtin_va_start(arguments, format);
    text_vformat(&text, format, arguments);
    __builtin_va_end(arguments);
    return text.used;
}

static uint64_t power_of_ten(unsigned exponent)
{
    uint64_t power = 1;

    while (exponent-- > 0)
        power *= 10;
    return power;
}

// Rounds value / 10^scale to `places` places, half away from zero: gives the value in 10^-places
// where places <= scale, and the value as it is, with zeros still to be appended, where not.
static uint64_t round_to(uint64_t value, unsigned scale, unsigned places)
{
    if (scale <= places)
        return value;
    uint64_t unit = power_of_ten(scale - places);
    return value / unit + (value % unit >= unit - unit / 2);
}

static void put_decimal(struct text *text, uint64_t rounded, unsigned scale, unsigned places)
{
    unsigned digits = scale < places ? scale : places;
    uint64_t unit = power_of_ten(digits);

    text_format(text, "%llu", (unsigned long long)(rounded / unit));
    if (places == 0)
        return;
    text_char(text, '.');
    if (digits)
        text_format(text, "%0*llu", (int)digits, (unsigned long long)(rounded % unit));
    for (; digits < places; digits++)
        text_char(text, '0');
}

const char *text_decimal(char out[DECIMAL_SIZE], uint64_t value, unsigned scale, unsigned places)
{
    struct text text;

    text_init(&text, out, DECIMAL_SIZE);
    put_decimal(&text, round_to(value, scale, places), scale, places);
    return out;
}

const char *text_signed_decimal(char out[DECIMAL_SIZE], int64_t value, unsigned scale,
                                unsigned places)
{
    uint64_t size = value < 0 ? -(uint64_t)value : (uint64_t)value;
    uint64_t rounded = round_to(size, scale, places);
    struct text text;

    text_init(&text, out, DECIMAL_SIZE);
    if (rounded)
        text_char(&text, value < 0 ? '-' : '+');
    put_decimal(&text, rounded, scale, places);
    return out;
}
