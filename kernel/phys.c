// Guest-physical memory as the page tables map it: one to one, where they do. They are read here as
// the CPU reads them, so that every door may map what it likes. Intel SDM vol. 3A, 4.5.
#include <machine.h>

#define PRESENT      (1u << 0)
#define LARGE        (1u << 7)
#define ADDRESS      0x000ffffffffff000ull
#define CR4_LA57     (1u << 12)
#define TABLE_LENGTH 512

// The last page found: most views follow one another.
static struct {
    uint64_t root, start, end;
} last;

// The end of the page that holds `address`, 0 if none does.
static uint64_t page_end(uint64_t root, uint64_t address)
{
    unsigned level = (machine_cr4() & CR4_LA57) ? 5 : 4;
    const uint64_t *table = (const uint64_t *)(root & ADDRESS);

    if (address >> (12 + 9 * level - 1)) // the upper half, or no address at all
        return 0;
    for (;;) {
        uint64_t span = 1ull << (12 + 9 * --level);
        uint64_t entry = table[address / span % TABLE_LENGTH];
        if (!(entry & PRESENT))
            return 0;
        if (level == 0 || entry & LARGE) {
            last.start = address & ~(span - 1);
            last.end = last.start + span;
            return last.end;
        }
        table = (const uint64_t *)(entry & ADDRESS);
    }
}

static const void *view(void *context, uint64_t address, uint64_t length)
{
    uint64_t root = machine_cr3();
    uint64_t end = address + length;

    (void)context;
    // Address 0 is memory like any other here, but a view of it would look like a refusal.
    if (address == 0 || end < address)
        return NULL;
    if (root != last.root)
        last.root = root, last.start = last.end = 0;
    if (address >= last.start && end <= last.end)
        return (const void *)address;
    for (uint64_t at = address; at < end;) {
        at = page_end(root, at);
        if (!at)
            return NULL;
    }
    return (const void *)address;
}

const struct phys machine_phys = {view, NULL};
