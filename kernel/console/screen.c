// The screen: text in cells, whatever shows them. What is shown is remembered, since reading it
// back from the device costs an exit a cell, and only cells that change are drawn.
#include "kernel/console/screen.h"

#include <machine.h>

#define HANGING   4  // what a line is indented by where it goes on, besides its own indentation
#define PAGE_ROWS 25 // which a page may have: all that a VGA text screen has

static struct screen screen;
static uint8_t cells[SCREEN_ROWS_MAX][SCREEN_COLUMNS_MAX]; // the text
static uint8_t shown[SCREEN_ROWS_MAX][SCREEN_COLUMNS_MAX]; // what the device shows of it
static unsigned row, column;
static unsigned indent;      // of the line that is being written
static bool in_indent;       // nothing but spaces was written to it
static bool line_ended;      // the next character begins a new one: the last row is not wasted
static unsigned first, last; // rows that may differ from what is shown; first > last: none

bool screen_memory_holds(uint64_t address)
{
    static const uint32_t patterns[] = {0x07550748, 0x07aa0754};
    uint32_t old = machine_mmio_read32(address);
    bool holds = true;

    for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
        machine_mmio_write32(address, patterns[i]);
        holds = holds && machine_mmio_read32(address) == patterns[i];
    }
    machine_mmio_write32(address, old);
    return holds;
}

static void scroll(unsigned rows)
{
    memmove(cells[0], cells[rows], (size_t)(screen.rows - rows) * sizeof(cells[0]));
    memset(cells[screen.rows - rows], ' ', rows * sizeof(cells[0]));
    row -= rows;
    first = 0;
    last = screen.rows - 1;
}

// At the bottom several rows go at once: drawing takes long.
static void next_row(void)
{
    column = 0;
    if (row + 1 == screen.rows)
        scroll(screen.rows / 4);
    row++;
    if (row < first)
        first = row;
    if (row > last)
        last = row;
}

static void begin_line(void)
{
    if (line_ended)
        next_row();
    line_ended = false;
    in_indent = true;
    indent = 0;
}

static void put(uint8_t character)
{
    cells[row][column++] = character;
}

// The line is full: it goes on in the next row, from the beginning of its last word.
static void wrap(void)
{
    unsigned hanging = indent + HANGING < screen.columns / 2 ? indent + HANGING : 0;
    unsigned word = screen.columns, length;
    uint8_t moved[SCREEN_COLUMNS_MAX];

    while (word > hanging && cells[row][word - 1] != ' ')
        word--;
    if (word == hanging) // longer than a row
        word = screen.columns;
    length = screen.columns - word;
    memcpy(moved, cells[row] + word, length);
    memset(cells[row] + word, ' ', length);
    next_row();
    column = hanging;
    for (unsigned i = 0; i < length; i++)
        put(moved[i]);
}

// Scrolls until a page has room below an empty row.
static void make_room(void)
{
    unsigned free = screen.rows - 1 - row;

    if (screen.rows > PAGE_ROWS + 1) {
        if (free < PAGE_ROWS + 1)
            scroll(PAGE_ROWS + 1 - free);
        next_row();
        line_ended = true;
        return;
    }
    // Where there is room for little more than a page it begins at the top.
    scroll(row);
    memset(cells[0], ' ', sizeof(cells[0]));
    line_ended = false;
    column = 0;
}

static void write_character(uint8_t character)
{
    if (character == '\f') {
        make_room();
        return;
    }
    if (line_ended || (row == 0 && column == 0))
        begin_line();
    if (character == '\n') {
        line_ended = true;
        return;
    }
    if (column == screen.columns) {
        if (character == ' ') { // it ends the row's last word
            next_row();
            column = indent + HANGING < screen.columns / 2 ? indent + HANGING : 0;
            return;
        }
        wrap();
    }
    if (character != ' ')
        in_indent = false;
    else if (in_indent)
        indent++;
    put(character);
}

static void show(void)
{
    for (; first <= last; first++) {
        for (unsigned at = 0; at < screen.columns; at += 2) {
            uint8_t *old = shown[first] + at;
            const uint8_t *new = cells[first] + at;
            if (old[0] == new[0] && old[1] == new[1])
                continue;
            screen.draw(first, at, old, new);
            old[0] = new[0];
            old[1] = new[1];
        }
    }
    first = row;
    last = row;
    if (screen.move_cursor)
        screen.move_cursor(row, column < screen.columns ? column : screen.columns - 1);
}

static bool open(unsigned unit, const struct platform *platform, struct sink_account *account)
{
    (void)unit;
    if (!(platform && framebuffer_open(&screen, platform, account)) && !vga_open(&screen, account))
        return false;
    memset(cells, ' ', sizeof(cells));
    memset(shown, ' ', sizeof(shown));
    row = column = first = last = 0;
    line_ended = false;
    begin_line();
    return true;
}

static bool write(unsigned unit, const char *bytes, size_t length)
{
    (void)unit;
    for (size_t i = 0; i < length; i++)
        write_character((uint8_t)bytes[i]);
    show();
    return true;
}

const struct sink_device console_screen = {"screen", 0, open, write};
