// Guest-physical memory as boot/entry32.asm maps it: the low 4 GiB, one to one.
#include <machine.h>

#define MAPPED (1ull << 32)

static const void *view(void *context, uint64_t address, uint64_t length)
{
    (void)context;
    // Address 0 is memory like any other here, but a view of it would look like a refusal.
    if (address == 0 || address >= MAPPED || length > MAPPED - address)
        return NULL;
    return (const void *)address;
}

const struct phys machine_phys = {view, NULL};
