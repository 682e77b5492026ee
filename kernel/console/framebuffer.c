// A linear framebuffer, as the boot door found it: pixels of 15 to 32 bits, nothing but white on
// black.
#include <machine.h>

#include "kernel/console/screen.h"
#include "lib/font.h"
#include "lib/text.h"

// What is smaller shows no line of text worth the name; what is larger no screen has. A line of
// text is as high as FONT_HEIGHT, and on screens of very many pixels twice that and more.
#define WIDTH_MIN  320
#define HEIGHT_MIN 200
#define SIDE_MAX   16384
#define PITCH_MAX  (SIDE_MAX * 8u)
#define SCALE_MAX  8

// I/O APIC, HPET, local APIC and the firmware's flash: never a framebuffer.
#define CHIPSET     0xfec00000u
#define CHIPSET_END 0x100000000u
#define LOW_END     0x100000u

static const struct framebuffer *framebuffer;
static unsigned scale, pixel_bytes;
static uint32_t white;

static uint32_t mask_of(uint8_t position, uint8_t size)
{
    return size && position + size <= 32 ? (uint32_t)((1ull << size) - 1) << position : 0;
}

static bool overlaps(uint64_t base, uint64_t end, uint64_t other, uint64_t other_end)
{
    return base < other_end && other < end;
}

// What speaks against writing to it, NULL: nothing. What a loader says is not to be believed: a
// wrong address would overwrite anything.
static const char *refusal(const struct platform *platform, const struct framebuffer *candidate)
{
    uint64_t base = candidate->address;
    uint64_t length = (uint64_t)candidate->pitch * candidate->height;
    uint64_t end = base + length;

    if (candidate->bits != 15 && candidate->bits != 16 && candidate->bits != 24 &&
        candidate->bits != 32)
        return "its pixels have no 15, 16, 24 or 32 bits";
    if (candidate->width < WIDTH_MIN || candidate->width > SIDE_MAX ||
        candidate->height < HEIGHT_MIN || candidate->height > SIDE_MAX)
        return "its size makes no sense";
    if (candidate->pitch < (uint64_t)candidate->width * pixel_bytes || candidate->pitch > PITCH_MAX)
        return "its pitch makes no sense";
    if (!white || (candidate->bits < 32 && white >> candidate->bits))
        return "its colours make no sense";
    if (base % 4 || base < LOW_END || end < base)
        return "its address makes no sense";
    if (overlaps(base, end, CHIPSET, CHIPSET_END))
        return "it lies where the chipset's devices are";
    if (!platform->boot->region_count)
        return "there is no memory map to check it against";
    for (size_t i = 0; i < platform->boot->region_count; i++) {
        const struct memory_region *region = &platform->boot->regions[i];
        if (region->type != MEMORY_RESERVED &&
            overlaps(base, end, region->base, region->base + region->length))
            return "it lies in memory that is in use";
    }
    if (!phys_view(platform->phys, base, length))
        return "it is not mapped";
    return screen_memory_holds(base) ? NULL : "its memory does not hold what is written to it";
}

// Draws one of the FONT_HEIGHT lines of a pair of cells: 16 pixels, the bits of `pixels`.
static void draw_line(uint64_t address, unsigned pixels)
{
    uint32_t words[2 * FONT_WIDTH * SCALE_MAX];
    unsigned count = 0, filled = 0;
    uint64_t waiting = 0;

    for (unsigned bit = 2 * FONT_WIDTH; bit-- > 0;) {
        for (unsigned i = 0; i < scale; i++) {
            if (pixels >> bit & 1)
                waiting |= (uint64_t)white << filled;
            filled += pixel_bytes * 8;
            if (filled < 32)
                continue;
            words[count++] = (uint32_t)waiting;
            waiting >>= 32;
            filled -= 32;
        }
    }
    // 16 pixels end on a word, whatever their size.
    for (unsigned i = 0; i < scale; i++, address += framebuffer->pitch)
        for (unsigned word = 0; word < count; word++)
            machine_mmio_write32(address + word * 4ull, words[word]);
}

static void draw(unsigned row, unsigned column, const uint8_t *old, const uint8_t *shown)
{
    uint64_t address = framebuffer->address +
                       (uint64_t)row * FONT_HEIGHT * scale * framebuffer->pitch +
                       (uint64_t)column * FONT_WIDTH * scale * pixel_bytes;

    for (unsigned line = 0; line < FONT_HEIGHT; line++) {
        unsigned before =
            (unsigned)font_glyph(old[0])[line] << FONT_WIDTH | font_glyph(old[1])[line];
        unsigned now =
            (unsigned)font_glyph(shown[0])[line] << FONT_WIDTH | font_glyph(shown[1])[line];
        if (now != before)
            draw_line(address, now);
        address += (uint64_t)framebuffer->pitch * scale;
    }
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

bool framebuffer_open(struct screen *screen, const struct platform *platform,
                      struct sink_account *account)
{
    const struct framebuffer *candidate = &platform->boot->framebuffer;

    if (!candidate->address)
        return false;
    pixel_bytes = (candidate->bits + 7u) / 8;
    white = mask_of(candidate->red.position, candidate->red.size) |
            mask_of(candidate->green.position, candidate->green.size) |
            mask_of(candidate->blue.position, candidate->blue.size);
    const char *reason = refusal(platform, candidate);
    if (reason) {
        text_print(account->problem, sizeof(account->problem),
                   "the framebuffer at 0x%llx is not used: %s",
                   (unsigned long long)candidate->address, reason);
        return false;
    }
    framebuffer = candidate;
    scale = 1;
    while (scale < SCALE_MAX && candidate->width / (FONT_WIDTH * scale) > SCREEN_COLUMNS_MAX)
        scale++;
    *screen = (struct screen){
        .columns = least(candidate->width / (FONT_WIDTH * scale), SCREEN_COLUMNS_MAX) & ~1u,
        .rows = least(candidate->height / (FONT_HEIGHT * scale), SCREEN_ROWS_MAX),
        .draw = draw,
    };
    machine_mmio_fill32(candidate->address, 0, (uint64_t)candidate->pitch * candidate->height / 4);
    text_print(account->where, sizeof(account->where),
               "framebuffer 0x%llx, %ux%u, %u bits, %u by %u characters",
               (unsigned long long)candidate->address, candidate->width, candidate->height,
               candidate->bits, screen->columns, screen->rows);
    return true;
}
