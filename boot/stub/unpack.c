#include "boot/stub/unpack.h"

// RFC 1951, sections 3.2.1 to 3.2.7.
#define CODE_BITS_MAX  15
#define LITERALS       288 // literals and lengths; the last two never occur
#define DISTANCES      30
#define LENGTH_CODES   19
#define END_OF_BLOCK   256
#define FIRST_LENGTH   257
#define LENGTH_SYMBOLS 29

#define FAST_BITS 10

// A Huffman code. Codes of at most FAST_BITS are looked up at once by the next bits of the input;
// longer ones, which are rare, are found bit by bit.
struct code {
    uint16_t fast[1 << FAST_BITS];     // symbol << 4 | length, 0: longer
    uint16_t count[CODE_BITS_MAX + 1]; // codes of each length
    uint16_t symbols[LITERALS];        // by length, then by value
};

static struct code literals, distances;

struct input {
    const uint8_t *next, *end;
    uint64_t bits;  // the next ones, least significant first
    unsigned count; // how many of `bits` are valid; above them may be more of the input
};

// At least 56 valid bits; past the end they are those of the slack, and then zeros, which overrun()
// notices.
static inline void refill(struct input *in)
{
    uint64_t word = 0;

    if (in->next <= in->end)
        __builtin_memcpy(&word, in->next, sizeof(word));
    in->bits |= word << in->count;
    in->next += (63 - in->count) >> 3;
    in->count |= 56;
}

// More was taken than there is.
static inline bool overrun(const struct input *in)
{
    return in->next - in->count / 8 > in->end;
}

// Takes `count` bits, at most 32; only after refill().
static inline uint32_t take(struct input *in, unsigned count)
{
    uint32_t bits = (uint32_t)(in->bits & ((1ull << count) - 1));

    in->bits >>= count;
    in->count -= count;
    return bits;
}

// Makes the canonical code of section 3.2.2 from the length of each symbol's code, 0: not used.
// False: more codes than the lengths leave room for.
static bool build(struct code *code, const uint8_t *lengths, unsigned symbols)
{
    uint16_t next[CODE_BITS_MAX + 1], position[CODE_BITS_MAX + 1];
    unsigned first = 0, used = 0;

    for (unsigned length = 0; length <= CODE_BITS_MAX; length++)
        code->count[length] = 0;
    for (unsigned symbol = 0; symbol < symbols; symbol++)
        code->count[lengths[symbol]]++;
    code->count[0] = 0;
    for (unsigned length = 1; length <= CODE_BITS_MAX; length++) {
        next[length] = (uint16_t)first;
        position[length] = (uint16_t)used;
        used += code->count[length];
        first += code->count[length];
        if (first > 1u << length)
            return false;
        first <<= 1;
    }
    for (unsigned i = 0; i < 1u << FAST_BITS; i++)
        code->fast[i] = 0;
    for (unsigned symbol = 0; symbol < symbols; symbol++) {
        unsigned length = lengths[symbol];
        if (length == 0)
            continue;
        code->symbols[position[length]++] = (uint16_t)symbol;
        unsigned value = next[length]++, reversed = 0;
        if (length > FAST_BITS)
            continue;
        for (unsigned i = 0; i < length; i++) // codes come most significant bit first
            reversed |= (value >> i & 1) << (length - 1 - i);
        for (; reversed < 1u << FAST_BITS; reversed += 1u << length)
            code->fast[reversed] = (uint16_t)(symbol << 4 | length);
    }
    return true;
}

// For codes longer than FAST_BITS: symbol << 4 | length of the one that `bits` begin with, 0: none.
static __attribute__((noinline)) unsigned search(const struct code *code, uint64_t bits)
{
    unsigned value = 0, first = 0, index = 0;

    for (unsigned length = 1; length <= CODE_BITS_MAX; length++) {
        value = value << 1 | (bits & 1);
        bits >>= 1;
        unsigned count = code->count[length];
        first <<= 1;
        if (value - first < count)
            return (unsigned)code->symbols[index + value - first] << 4 | length;
        first += count;
        index += count;
    }
    return 0;
}

// The next symbol; -1: no code of this input. Only after refill().
static inline int decode(const struct code *code, struct input *in)
{
    unsigned entry = code->fast[in->bits & ((1 << FAST_BITS) - 1)];

    if (!entry) {
        entry = search(code, in->bits);
        if (!entry)
            return -1;
    }
    take(in, entry & 15);
    return (int)(entry >> 4);
}

// Section 3.2.6.
static void build_fixed(void)
{
    uint8_t lengths[LITERALS];

    for (unsigned i = 0; i < LITERALS; i++)
        lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    build(&literals, lengths, LITERALS);
    for (unsigned i = 0; i < DISTANCES; i++)
        lengths[i] = 5;
    build(&distances, lengths, DISTANCES);
}

// Section 3.2.7.
static bool build_dynamic(struct input *in)
{
    static const uint8_t order[LENGTH_CODES] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                11, 4,  12, 3, 13, 2, 14, 1, 15};
    uint8_t lengths[LITERALS + 32] = {0};

    refill(in);
    unsigned literal_count = take(in, 5) + 257, distance_count = take(in, 5) + 1;
    unsigned length_count = take(in, 4) + 4, all = literal_count + distance_count;
    if (literal_count > LITERALS - 2 || distance_count > DISTANCES)
        return false;
    for (unsigned i = 0; i < length_count; i++) {
        refill(in);
        lengths[order[i]] = (uint8_t)take(in, 3);
    }
    if (!build(&literals, lengths, LENGTH_CODES))
        return false;
    for (unsigned i = 0; i < LENGTH_CODES; i++)
        lengths[i] = 0;
    for (unsigned i = 0; i < all;) {
        refill(in);
        int symbol = decode(&literals, in);
        uint8_t length = 0;
        unsigned repeat = 1;
        if (symbol < 0)
            return false;
        if (symbol < 16) {
            length = (uint8_t)symbol;
        } else if (symbol == 16) {
            if (i == 0)
                return false;
            length = lengths[i - 1];
            repeat = 3 + take(in, 2);
        } else {
            repeat = symbol == 17 ? 3 + take(in, 3) : 11 + take(in, 7);
        }
        if (repeat > all - i)
            return false;
        while (repeat-- > 0)
            lengths[i++] = length;
    }
    return build(&literals, lengths, literal_count) &&
           build(&distances, lengths + literal_count, distance_count);
}

// Repeats `length` of the bytes that begin `distance` before `to`, by the word where words do not
// overlap and the output has room for a whole last one: what comes next overwrites its surplus.
static inline void copy(uint8_t *to, size_t distance, size_t length, const uint8_t *end)
{
    const uint8_t *from = to - distance;

    if (distance < sizeof(uint64_t) || (size_t)(end - to) < length + sizeof(uint64_t)) {
        while (length-- > 0)
            *to++ = *from++; // NOLINT(clang-analyzer-core.uninitialized.Assign): written before
        return;
    }
    for (size_t done = 0; done < length; done += sizeof(uint64_t))
        __builtin_memcpy(to + done, from + done, sizeof(uint64_t));
}

// One block's symbols. Returns where the output ends, NULL if the data are malformed.
static uint8_t *unpack_block(struct input *input, const uint8_t *start, uint8_t *to,
                             const uint8_t *end)
{
    // Sections 3.2.5's two tables.
    static const uint16_t length_base[LENGTH_SYMBOLS] = {
        3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
        31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    static const uint8_t length_extra[LENGTH_SYMBOLS] = {
        0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
    static const uint16_t distance_base[DISTANCES] = {
        1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
        193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};

    struct input in = *input; // in registers
    for (;;) {
        // At most 15 + 5 + 15 + 13 bits a turn. A turn gives a byte or ends, so that what lies
        // behind the input bounds nothing: the caller asks for an overrun in the end.
        if (in.count < 48)
            refill(&in);
        int symbol = decode(&literals, &in);
        if (symbol < 0)
            return NULL;
        if (symbol < END_OF_BLOCK) {
            if (to == end)
                return NULL;
            *to++ = (uint8_t)symbol;
            continue;
        }
        if (symbol == END_OF_BLOCK) {
            *input = in;
            return to;
        }
        symbol -= FIRST_LENGTH;
        if (symbol >= LENGTH_SYMBOLS)
            return NULL;
        unsigned length = length_base[symbol] + take(&in, length_extra[symbol]);
        int code = decode(&distances, &in);
        if (code < 0)
            return NULL;
        unsigned distance = distance_base[code] + take(&in, code < 2 ? 0 : (unsigned)code / 2 - 1);
        if (distance > (size_t)(to - start) || length > (size_t)(end - to))
            return NULL;
        copy(to, distance, length, end);
        to += length;
    }
}

// A stored block: section 3.2.4.
static uint8_t *copy_block(struct input *in, uint8_t *to, const uint8_t *end)
{
    take(in, in->count % 8);
    refill(in);
    unsigned size = take(in, 16), complement = take(in, 16);
    const uint8_t *from = in->next - in->count / 8;
    if (size != (complement ^ 0xffff) || from > in->end || size > (size_t)(in->end - from) ||
        size > (size_t)(end - to))
        return NULL;
    in->next = from + size;
    in->bits = 0;
    in->count = 0;
    while (size-- > 0)
        *to++ = *from++;
    return to;
}

size_t unpack(const uint8_t *from, size_t from_size, uint8_t *to, size_t to_size)
{
    struct input in = {.next = from, .end = from + from_size};
    uint8_t *at = to;
    bool last;

    do {
        refill(&in);
        last = take(&in, 1);
        switch (take(&in, 2)) {
        case 0:
            at = copy_block(&in, at, to + to_size);
            break;
        case 1:
            build_fixed();
            at = unpack_block(&in, to, at, to + to_size);
            break;
        case 2:
            at = build_dynamic(&in) ? unpack_block(&in, to, at, to + to_size) : NULL;
            break;
        default:
            at = NULL;
        }
    } while (at && !last);
    return at && !overrun(&in) ? (size_t)(at - to) : 0;
}
