// boot/stub/unpack.c against zlib: what zlib compressed comes back, whatever its level and
// strategy; what is cut off or changed is refused or at least stays within its bounds, which
// AddressSanitizer watches.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "boot/stub/unpack.c"

#define PLAIN_MAX  100000
#define PACKED_MAX (PLAIN_MAX + 1000)

static uint8_t plain[PLAIN_MAX];
static uint32_t state_of_random = 1;

// xorshift32, Marsaglia 2003
static unsigned any_number(void)
{
    state_of_random ^= state_of_random << 13;
    state_of_random ^= state_of_random >> 17;
    state_of_random ^= state_of_random << 5;
    return state_of_random >> 1;
}

// Raw DEFLATE of plain[0..size), in a block of memory that ends right behind the slack.
static uint8_t *pack(size_t size, int level, int strategy, size_t *packed_size)
{
    static uint8_t buffer[PACKED_MAX];
    z_stream stream = {
        .next_in = plain, .avail_in = (uInt)size, .next_out = buffer, .avail_out = sizeof(buffer)};

    assert_int_equal(deflateInit2(&stream, level, Z_DEFLATED, -15, 9, strategy), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    *packed_size = sizeof(buffer) - stream.avail_out;
    assert_int_equal(deflateEnd(&stream), Z_OK);

    uint8_t *packed = malloc(*packed_size + UNPACK_SLACK);
    assert_non_null(packed);
    memcpy(packed, buffer, *packed_size);
    memset(packed + *packed_size, 0xa5, UNPACK_SLACK);
    return packed;
}

// Text-like bytes: some repeat from a distance, some are rare.
static void make_plain(unsigned seed, size_t size)
{
    state_of_random = seed + 1;
    for (size_t i = 0; i < size;) {
        if (i > 0 && any_number() % 4 == 0) {
            size_t distance = 1 + (size_t)any_number() % (i < 32768 ? i : 32768);
            for (unsigned left = 3 + any_number() % 300; left > 0 && i < size; left--, i++)
                plain[i] = plain[i - distance];
        } else {
            plain[i++] = (uint8_t)(any_number() % 16 ? 'a' + any_number() % (1 + any_number() % 26)
                                                     : any_number());
        }
    }
}

static void check_round_trip(size_t size, int level, int strategy)
{
    size_t packed_size;
    uint8_t *packed = pack(size, level, strategy, &packed_size);
    uint8_t *out = malloc(size);

    assert_non_null(out);
    assert_int_equal(unpack(packed, packed_size, out, size), size);
    assert_memory_equal(out, plain, size);
    assert_int_equal(unpack(packed, packed_size, out, size - 1), 0);
    free(out);
    free(packed);
}

static void test_every_level_and_strategy_comes_back(void **state)
{
    static const int strategies[] = {Z_DEFAULT_STRATEGY, Z_FILTERED, Z_HUFFMAN_ONLY, Z_RLE,
                                     Z_FIXED};

    (void)state;
    for (unsigned seed = 0; seed < 20; seed++) {
        size_t size = seed ? 1 + (size_t)any_number() % PLAIN_MAX : PLAIN_MAX;
        make_plain(seed, size);
        for (int level = 0; level <= 9; level += 3)
            for (size_t i = 0; i < sizeof(strategies) / sizeof(strategies[0]); i++)
                check_round_trip(size, level, strategies[i]);
    }
}

static void test_the_longest_codes_come_back(void **state)
{
    size_t size = 0;

    (void)state;
    // Byte frequencies as Fibonacci numbers make the deepest Huffman tree.
    for (unsigned value = 0, a = 1, b = 1; value < 22; value++) {
        for (unsigned i = 0; i < a && size < PLAIN_MAX; i++)
            plain[size++] = (uint8_t)value;
        unsigned next = a + b;
        a = b;
        b = next;
    }
    check_round_trip(size, 9, Z_HUFFMAN_ONLY);
}

static void test_a_cut_stream_is_refused(void **state)
{
    size_t packed_size;

    (void)state;
    make_plain(1, 3000);
    uint8_t *packed = pack(3000, 9, Z_DEFAULT_STRATEGY, &packed_size);
    uint8_t *out = malloc(3000);
    assert_non_null(out);
    for (size_t size = 0; size < packed_size; size++) {
        uint8_t *cut = malloc(size + UNPACK_SLACK);
        assert_non_null(cut);
        memcpy(cut, packed, size);
        memset(cut + size, 0, UNPACK_SLACK);
        assert_int_equal(unpack(cut, size, out, 3000), 0);
        free(cut);
    }
    free(out);
    free(packed);
}

static void test_a_changed_stream_stays_within_bounds(void **state)
{
    size_t packed_size;

    (void)state;
    make_plain(2, 3000);
    uint8_t *packed = pack(3000, 9, Z_DEFAULT_STRATEGY, &packed_size);
    uint8_t *out = malloc(4000);
    assert_non_null(out);
    for (unsigned run = 0; run < 20000; run++) {
        size_t at = (size_t)any_number() % packed_size;
        uint8_t was = packed[at];
        packed[at] ^= (uint8_t)(1 << any_number() % 8);
        assert_in_range(unpack(packed, packed_size, out, 4000), 0, 4000);
        packed[at] = was;
    }
    assert_int_equal(unpack(packed, packed_size, out, 4000), 3000);
    free(out);
    free(packed);
}

static void check_refused(const uint8_t *data, size_t size)
{
    uint8_t packed[64] = {0}, out[1024];

    memcpy(packed, data, size);
    assert_int_equal(unpack(packed, size, out, sizeof(out)), 0);
}

static void test_malformed_blocks_are_refused(void **state)
{
    static const uint8_t reserved_type[] = {0x07};
    static const uint8_t stored_complement[] = {0x01, 0x01, 0x00, 0x00, 0x00, 'x'};
    static const uint8_t stored_too_long[] = {0x01, 0x05, 0x00, 0xfa, 0xff, 'x'};
    // Fixed code: length 3 at distance 1 with nothing written before it.
    static const uint8_t distance_too_far[] = {0x03, 0x02, 0x00};

    (void)state;
    check_refused(reserved_type, sizeof(reserved_type));
    check_refused(stored_complement, sizeof(stored_complement));
    check_refused(stored_too_long, sizeof(stored_too_long));
    check_refused(distance_too_far, sizeof(distance_too_far));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_level_and_strategy_comes_back),
        cmocka_unit_test(test_the_longest_codes_come_back),
        cmocka_unit_test(test_a_cut_stream_is_refused),
        cmocka_unit_test(test_a_changed_stream_stays_within_bounds),
        cmocka_unit_test(test_malformed_blocks_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
