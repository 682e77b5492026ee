// Intel SDM vol. 3A, 4.5 "4-level paging and 5-level paging"; AMD APM vol. 2, 5.3.
#include "boot/paging.h"

#include "boot/doors.h"
#include "lib/text.h"

#define PRESENT    (1ull << 0)
#define WRITABLE   (1ull << 1)
#define PWT        (1ull << 3)
#define PCD        (1ull << 4)
#define LARGE      (1ull << 7) // a page, in a table that could name another table
#define MARKS      (3ull << 5) // accessed and dirty: the CPU's
#define NO_EXECUTE (1ull << 63)
#define ADDRESS    0x000ffffffffff000ull

// Memory types by the PAT's reset value (SDM vol. 3A, 11.12.4). PCD alone is UC-, so that an MTRR
// may still make a framebuffer write-combining.
#define CACHED      (PRESENT | WRITABLE)
#define UNCACHED    (PRESENT | WRITABLE | PCD | PWT)
#define FRAMEBUFFER (PRESENT | WRITABLE | PCD)

#define MIB          (1ull << 20)
#define GIB          (1ull << 30)
#define LOW_END      (4 * GIB)
#define DEVICES      (3 * GIB)
#define CHIPSET      0xfe000000ull // I/O APIC, HPET, TPM, local APIC, flash: never RAM
#define VGA_WINDOW   0xa0000
#define VGA_END      0xc0000
#define TABLE_LENGTH 512
// The bytes that an entry stands for, by its table's level: 0 for a page table, 4 for a PML5.
#define SPAN(level) (1ull << (12 + 9 * (level)))

// Ten are needed for the low 4 GiB, two or three each for an image, a framebuffer and firmware
// tables that lie elsewhere. The rest is for RAM: 1 GiB a table, or 512 with 1 GiB pages.
#define TABLES 64

static uint64_t tables[TABLES][TABLE_LENGTH] __attribute__((aligned(PAGE_SIZE)));

static struct {
    const struct paging_image *image;
    struct paging_cpu cpu;
    unsigned used;
    unsigned levels;
} paging;

static uint64_t *take_table(void)
{
    return paging.used < TABLES ? tables[paging.used++] : NULL;
}

// The table below an entry: what was one page becomes 512 smaller ones. NULL: out of tables.
static uint64_t *table_below(uint64_t *entry, unsigned level)
{
    uint64_t old = *entry;

    if ((old & PRESENT) && !(old & LARGE))
        return (uint64_t *)(old & ADDRESS);
    uint64_t *below = take_table();
    if (!below)
        return NULL;
    if (level == 1)
        old &= ~LARGE; // in a page table the bit has another meaning
    for (unsigned i = 0; i < TABLE_LENGTH; i++)
        below[i] = old ? old + i * SPAN(level - 1) : 0;
    *entry = (uint64_t)below | PRESENT | WRITABLE;
    return below;
}

static bool is_page_level(unsigned level, uint64_t base)
{
    return level <= 1 || (level == 2 && paging.cpu.giant && base >= LOW_END);
}

// Gives the pages from *at on these flags, 0 to unmap them, as far as this table has them, and
// moves *at behind them. False: none, a table below has them.
static bool set_here(uint64_t *entries, unsigned level, uint64_t *at, uint64_t end, uint64_t flags)
{
    uint64_t span = SPAN(level), start = *at;

    for (uint64_t i = start / span % TABLE_LENGTH; i < TABLE_LENGTH && *at < end; i++) {
        uint64_t from = *at & ~(span - 1);
        uint64_t page = flags ? from | flags | (level ? LARGE : 0) : 0;
        if (level && (entries[i] & (PRESENT | LARGE)) == PRESENT)
            break;
        if (*at == from && end - from >= span && is_page_level(level, from))
            entries[i] = page;
        else if ((entries[i] & ~MARKS) != page)
            break;
        *at = from + span;
    }
    return *at != start;
}

// Widened to whole pages. False: no room or, above what the CPU can address, no address space.
static bool set(uint64_t base, uint64_t length, uint64_t flags)
{
    uint64_t limit =
        1ull << (paging.cpu.address_bits < 12 + 9 * paging.levels - 1 ? paging.cpu.address_bits
                                                                      : 12 + 9 * paging.levels - 1);
    uint64_t at = base & ~(uint64_t)(PAGE_SIZE - 1);

    if (length == 0)
        return true;
    if (base >= limit || length > limit - base)
        return false;
    uint64_t end = (base + length + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
    while (at < end) {
        uint64_t *entries = tables[0];
        unsigned level = paging.levels - 1;
        while (!set_here(entries, level, &at, end, flags)) {
            entries = level ? table_below(&entries[at / SPAN(level) % TABLE_LENGTH], level) : NULL;
            if (!entries)
                return false;
            level--;
        }
    }
    return true;
}

// What must stay as it is, whatever the memory map says.
static bool set_image(void)
{
    const struct paging_image *image = paging.image;
    uint64_t no_execute = paging.cpu.no_execute ? NO_EXECUTE : 0;
    uint64_t text = (image->start + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
    uint64_t text_end = image->text_end & ~(uint64_t)(PAGE_SIZE - 1);
    uint64_t data = (image->text_end + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
    bool good = set(image->start, image->end - image->start, CACHED);

    good = good && (text >= text_end || set(text, text_end - text, PRESENT));
    good = good && (data >= image->end || set(data, image->end - data, CACHED | no_execute));
    return good && set(image->guard, PAGE_SIZE, 0);
}

uint64_t paging_start(const struct paging_image *image, struct paging_cpu cpu)
{
    memset(tables[0], 0, sizeof(tables[0])); // the others are filled when they are taken
    paging.image = image;
    paging.cpu = cpu;
    paging.used = 0;
    paging.levels = cpu.five_levels ? 5 : 4;
    if (paging.cpu.address_bits < 32 || paging.cpu.address_bits > 52)
        paging.cpu.address_bits = 36; // every CPU with long mode has at least so many
    take_table();
    set(0, DEVICES, CACHED);
    set(DEVICES, LOW_END - DEVICES, UNCACHED);
    // This makes small pages of the first 2 MiB, as it must be: a large one may not span MTRRs of
    // different types.
    set(VGA_WINDOW, VGA_END - VGA_WINDOW, UNCACHED);
    set_image();
    return (uint64_t)tables[0];
}

void paging_guard(uint64_t page)
{
    set(page, PAGE_SIZE, 0);
}

static void add(struct boot_info *boot, const char *what, uint64_t base, uint64_t length,
                uint64_t flags)
{
    if (!set(base, length, flags))
        boot_note(boot, "page tables: %s at 0x%llx, 0x%llx bytes, is not or not all mapped", what,
                  (unsigned long long)base, (unsigned long long)length);
}

static uint64_t framebuffer_length(const struct framebuffer *framebuffer)
{
    uint64_t length = (uint64_t)framebuffer->pitch * framebuffer->height;

    // Below 1 MiB nothing is but the VGA window.
    return framebuffer->address >= MIB && length < LOW_END ? length : 0;
}

// A firmware table's entry point, of which nothing but the address is known. Below 4 GiB all is
// mapped; elsewhere so many bytes take two pages, and so hold it whatever its offset.
static void add_entry_point(struct boot_info *boot, const char *what, uint64_t address)
{
    if (address >= LOW_END)
        add(boot, what, address, PAGE_SIZE, CACHED);
}

// A region of the memory map. RAM is cached, but not over the chipset's devices; anything else is
// device memory for all we know. Below 3 GiB all is as it should be.
static void add_region(struct boot_info *boot, const struct memory_region *region)
{
    bool is_ram = region->type == MEMORY_RAM || region->type == MEMORY_ACPI_RECLAIM ||
                  region->type == MEMORY_ACPI_NVS;
    uint64_t base = region->base, end = region->base + region->length;

    if (is_ram && base < CHIPSET && end > DEVICES) {
        uint64_t from = base > DEVICES ? base : DEVICES;
        add(boot, "RAM", from, (end < CHIPSET ? end : CHIPSET) - from, CACHED);
    }
    if (base < LOW_END)
        base = LOW_END;
    if (end > base)
        add(boot, is_ram ? "RAM" : "reserved memory", base, end - base, is_ram ? CACHED : UNCACHED);
}

void paging_add(struct boot_info *boot)
{
    static const uint32_t order[] = {MEMORY_ACPI_RECLAIM, MEMORY_ACPI_NVS, MEMORY_RAM};

    uint64_t length = framebuffer_length(&boot->framebuffer);

    // First what is read for certain, since the tables may run out.
    add(boot, "the framebuffer", boot->framebuffer.address, length, FRAMEBUFFER);
    add_entry_point(boot, "the RSDP", boot->rsdp);
    add_entry_point(boot, "the SMBIOS entry point", boot->smbios);
    for (size_t pass = 0; pass <= ARRAY_SIZE(order); pass++) {
        for (size_t i = 0; i < boot->region_count; i++) {
            size_t rank = 0;
            while (rank < ARRAY_SIZE(order) && boot->regions[i].type != order[rank])
                rank++;
            if (rank == pass)
                add_region(boot, &boot->regions[i]);
        }
    }
    // The map may have said otherwise; for these there are tables now.
    set(boot->framebuffer.address, length, FRAMEBUFFER);
    set(VGA_WINDOW, VGA_END - VGA_WINDOW, UNCACHED);
    set_image();
}
