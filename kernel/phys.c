// Guest-physical memory as boot/entry32.asm maps it: the low 4 GiB, one to one, but for the page
// that guards the stack.
#include <machine.h>

#define MAPPED    (1ull << 32)
#define PAGE_SIZE 4096

extern const char stack_guard[];

static const void *view(void *context, uint64_t address, uint64_t length)
{
    (void)context;
    // Address 0 is memory like any other here, but a view of it would look like a refusal.
    if (address == 0 || address >= MAPPED || length > MAPPED - address)
        return NULL;
    if (address < (uint64_t)stack_guard + PAGE_SIZE && address + length > (uint64_t)stack_guard)
        return NULL;
    return (const void *)address;
}

const struct phys machine_phys = {view, NULL};
