// What a screen device does for kernel/console/screen.c: it shows characters in cells.
#pragma once

#include "kernel/console/console.h"

// The most that is used of a screen. Columns are even in number: cells come in pairs.
#define SCREEN_COLUMNS_MAX 240
#define SCREEN_ROWS_MAX    100

// Shows two characters at `row` and the even `column`, where `old` was shown before.
struct screen {
    unsigned columns, rows;
    void (*draw)(unsigned row, unsigned column, const uint8_t *old, const uint8_t *shown);
    void (*move_cursor)(unsigned row, unsigned column); // NULL: there is none
};

// Find and clear their device; false if it is not there. `account` as in struct sink_device.
bool vga_open(struct screen *screen, struct sink_account *account);
bool framebuffer_open(struct screen *screen, const struct platform *platform,
                      struct sink_account *account);

// Does memory at this address, a multiple of 4, hold what is written to it? What was in it comes
// back.
bool screen_memory_holds(uint64_t address);
