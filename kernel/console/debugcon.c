// The debug console of QEMU, Bochs and others: a port that prints what is written to it. It reads as
// its own number, which nothing else does.
#include <machine.h>

#include "kernel/console/console.h"

#define DEBUGCON 0xe9

static bool open(void)
{
    return machine_in8(DEBUGCON) == DEBUGCON;
}

static bool write(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        machine_out8(DEBUGCON, (uint8_t)bytes[i]);
    return true;
}

const struct sink_device console_debugcon = {"debugcon", open, write};
