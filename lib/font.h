// The font of the framebuffer: cells of 8 by 16 pixels, our own drawing.
#pragma once

#include "lib/types.h"

#define FONT_WIDTH  8
#define FONT_HEIGHT 16
#define FONT_FIRST  0x20 // the first character that it has
#define FONT_LAST   0x7e

// The FONT_HEIGHT rows of a character, the top one first; bit 7 is the leftmost pixel. Characters
// that the font does not have look like a question mark in a box.
const uint8_t *font_glyph(uint8_t character);
