// The four functions that a freestanding compiler may call (GCC manual, "Standards"; C11 7.24).
//
// Where it matters they go by words: kernel structures are hundreds of KiB, and there are
// hypervisors that take half a microsecond for each instruction.
#include "lib/text.h"

void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
    unsigned char *out = to;
    const unsigned char *in = from;
    size_t i = 0;

    for (; i + sizeof(uint64_t) <= length; i += sizeof(uint64_t))
        __builtin_memcpy(out + i, in + i, sizeof(uint64_t));
    for (; i < length; i++)
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

void *memset(void *to, int byte, size_t length)
{
    unsigned char *out = to;
    uint64_t word = (unsigned char)byte * 0x0101010101010101ull;
    size_t i = 0;

    for (; i + sizeof(word) <= length; i += sizeof(word))
        __builtin_memcpy(out + i, &word, sizeof(word));
    for (; i < length; i++)
        out[i] = (unsigned char)byte;
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
