#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "lib/font.h"

#define NONE 0x7f // a character that the font does not have

static void test_every_glyph_is_its_own(void **state)
{
    (void)state;
    for (unsigned a = FONT_FIRST; a <= NONE; a++)
        for (unsigned b = FONT_FIRST; b < a; b++)
            if (memcmp(font_glyph((uint8_t)a), font_glyph((uint8_t)b), FONT_HEIGHT) == 0)
                fail_msg("0x%02x looks like 0x%02x", a, b);
}

static unsigned pixels(uint8_t character)
{
    unsigned count = 0;

    for (unsigned row = 0; row < FONT_HEIGHT; row++)
        count += (unsigned)__builtin_popcount(font_glyph(character)[row]);
    return count;
}

static void test_every_glyph_stays_in_its_cell(void **state)
{
    (void)state;
    assert_int_equal(pixels(' '), 0);
    for (unsigned character = FONT_FIRST + 1; character <= NONE; character++) {
        const uint8_t *glyph = font_glyph((uint8_t)character);
        // Lines do not touch each other, nor do letters.
        if (glyph[0] || glyph[FONT_HEIGHT - 1])
            fail_msg("0x%02x touches the line above or below", character);
        for (unsigned row = 0; row < FONT_HEIGHT && character != '_'; row++)
            if (glyph[row] & 1)
                fail_msg("0x%02x touches the character behind it", character);
        assert_in_range(pixels((uint8_t)character), 4, FONT_WIDTH * FONT_HEIGHT / 2);
    }
}

static void test_what_the_font_does_not_have(void **state)
{
    (void)state;
    const uint8_t *none = font_glyph(NONE);

    for (unsigned character = 0; character < 256; character++)
        if (character < FONT_FIRST || character > FONT_LAST)
            assert_ptr_equal(font_glyph((uint8_t)character), none);
    assert_true(pixels(NONE) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_glyph_is_its_own),
        cmocka_unit_test(test_every_glyph_stays_in_its_cell),
        cmocka_unit_test(test_what_the_font_does_not_have),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
