// The four functions that a freestanding compiler may call (GCC manual, "Standards"; C11 7.24).
#include "lib/text.h"

void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
    unsigned char *out = to;
    const unsigned char *in = from;

    for (size_t i = 0; i < length; i++)
        out[i] = in[i];
    return to;
}

void *memmove(void *to, const void *from, size_t length)
{
    unsigned char *out = to;
    const unsigned char *in = from;

    if (out <= in) {
        for (size_t i = 0; i < length; i++)
            out[i] = in[i];
    } else {
        for (size_t i = length; i-- > 0;)
            out[i] = in[i];
    }
    return to;
}

// Eight bytes at a time, wherever they lie: where an instruction takes a microsecond, clearing is
// most of what a start takes.
typedef uint64_t wide __attribute__((may_alias, aligned(1)));

void *memset(void *to, int byte, size_t length)
{
    uint64_t pattern = 0x0101010101010101ull * (unsigned char)byte;
    unsigned char *out = to;

    for (; length >= sizeof(wide); length -= sizeof(wide)) {
        *(wide *)out = pattern;
        out += sizeof(wide);
    }
    while (length--)
        *out++ = (unsigned char)byte;
    return to;
}

int memcmp(const void *a, const void *b, size_t length)
{
    const unsigned char *left = a, *right = b;

    for (size_t i = 0; i < length; i++)
        if (left[i] != right[i])
            return left[i] < right[i] ? -1 : 1;
    return 0;
}
