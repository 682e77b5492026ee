// The VGA text screen: 80 by 25 cells of a character and an attribute, at 0xb8000.
// IBM VGA/XGA Technical Reference, "Text modes"; the cursor through the CRT controller.
#include <machine.h>

#include "kernel/console/console.h"

#define VGA_TEXT   0xb8000u
#define COLUMNS    80
#define ROWS       25
#define ATTRIBUTE  0x07 // light grey on black
#define BLANK_PAIR (((uint32_t)ATTRIBUTE << 8 | ' ') * 0x10001u)

#define CRTC_INDEX  0x3d4
#define CRTC_DATA   0x3d5
#define CURSOR_HIGH 0x0e
#define CURSOR_LOW  0x0f

static unsigned row, column;
// What the screen shows, as pairs of cells: reading it back from the device costs an exit each.
static uint32_t shown[ROWS * COLUMNS / 2];

// There is a controller if its cursor register holds what is written to it. Memory alone proves
// nothing: machines without a screen have plain memory at the same address.
static bool controller_holds(uint8_t value)
{
    machine_out8(CRTC_INDEX, CURSOR_LOW);
    machine_out8(CRTC_DATA, value);
    return machine_in8(CRTC_DATA) == value;
}

// In a graphics mode the text memory is not there; what was in it comes back.
static bool memory_holds(void)
{
    uint32_t old = machine_mmio_read32(VGA_TEXT);
    bool holds = true;
    static const uint32_t patterns[] = {0x07550748, 0x07aa0754};

    for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
        machine_mmio_write32(VGA_TEXT, patterns[i]);
        holds = holds && machine_mmio_read32(VGA_TEXT) == patterns[i];
    }
    machine_mmio_write32(VGA_TEXT, old);
    return holds;
}

static void show_pair(unsigned index, uint32_t pair)
{
    if (shown[index] == pair)
        return;
    shown[index] = pair;
    machine_mmio_write32(VGA_TEXT + index * 4, pair);
}

static void new_line(void)
{
    column = 0;
    if (++row < ROWS)
        return;
    row = ROWS - 1;
    for (unsigned i = 0; i < ROWS * COLUMNS / 2; i++)
        show_pair(i, i < (ROWS - 1) * COLUMNS / 2 ? shown[i + COLUMNS / 2] : BLANK_PAIR);
}

static void move_cursor(void)
{
    unsigned cell = row * COLUMNS + column;

    machine_out8(CRTC_INDEX, CURSOR_HIGH);
    machine_out8(CRTC_DATA, (uint8_t)(cell >> 8));
    machine_out8(CRTC_INDEX, CURSOR_LOW);
    machine_out8(CRTC_DATA, (uint8_t)cell);
}

static bool open(void)
{
    if (!controller_holds(0x55) || !controller_holds(0xaa) || !memory_holds())
        return false;
    for (unsigned i = 0; i < ROWS * COLUMNS / 2; i++) {
        shown[i] = 0;
        show_pair(i, BLANK_PAIR);
    }
    row = column = 0;
    move_cursor();
    return true;
}

static bool write(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n') {
            new_line();
            continue;
        }
        if (column == COLUMNS)
            new_line();
        unsigned cell = row * COLUMNS + column++;
        unsigned shift = cell % 2 * 16;
        uint32_t value = (uint32_t)ATTRIBUTE << 8 | (uint8_t)bytes[i];
        show_pair(cell / 2, (shown[cell / 2] & ~(0xffffu << shift)) | value << shift);
    }
    move_cursor();
    return true;
}

const struct sink_device console_screen = {"screen", open, write};
