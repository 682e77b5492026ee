// The VGA text screen: 80 by 25 cells of a character and an attribute, at 0xb8000.
// IBM VGA/XGA Technical Reference, "Text modes"; the cursor through the CRT controller.
#include <machine.h>

#include "kernel/console/screen.h"
#include "lib/text.h"

#define VGA_TEXT  0xb8000u
#define COLUMNS   80
#define ROWS      25
#define ATTRIBUTE 0x07000700u // light grey on black, for two cells

#define CRTC_INDEX  0x3d4
#define CRTC_DATA   0x3d5
#define CURSOR_HIGH 0x0e
#define CURSOR_LOW  0x0f

// There is a controller if its cursor register holds what is written to it. Memory alone proves
// nothing: machines without a screen have plain memory at the same address.
static bool controller_holds(uint8_t value)
{
    machine_out8(CRTC_INDEX, CURSOR_LOW);
    machine_out8(CRTC_DATA, value);
    return machine_in8(CRTC_DATA) == value;
}

static void draw(unsigned row, unsigned column, const uint8_t *old, const uint8_t *shown)
{
    (void)old;
    machine_mmio_write32(VGA_TEXT + (row * COLUMNS + column) * 2,
                         ATTRIBUTE | shown[0] | (uint32_t)shown[1] << 16);
}

static void move_cursor(unsigned row, unsigned column)
{
    unsigned cell = row * COLUMNS + column;

    machine_out8(CRTC_INDEX, CURSOR_HIGH);
    machine_out8(CRTC_DATA, (uint8_t)(cell >> 8));
    machine_out8(CRTC_INDEX, CURSOR_LOW);
    machine_out8(CRTC_DATA, (uint8_t)cell);
}

bool vga_open(struct screen *screen, struct sink_account *account)
{
    if (!controller_holds(0x55) || !controller_holds(0xaa)) {
        text_print(account->where, sizeof(account->where), "no VGA");
        return false;
    }
    // In a graphics mode the text memory is not there.
    if (!screen_memory_holds(VGA_TEXT)) {
        text_print(account->where, sizeof(account->where), "the VGA is not in text mode");
        return false;
    }
    *screen = (struct screen){COLUMNS, ROWS, draw, move_cursor};
    for (unsigned cell = 0; cell < ROWS * COLUMNS; cell += 2)
        draw(0, cell, NULL, (const uint8_t *)"  ");
    text_print(account->where, sizeof(account->where), "VGA, %u by %u characters", COLUMNS, ROWS);
    return true;
}
