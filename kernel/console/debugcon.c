// The debug console of QEMU, Bochs and others: a port that prints what is written to it. It reads
// as its own number, which nothing else does. Xen has it for all its guests, but only for writing.
#include <machine.h>

#include "kernel/console/console.h"
#include "lib/scan.h"
#include "lib/text.h"

#define DEBUGCON 0xe9

// Xen's leaves begin at the first base, or at the second behind a Hyper-V interface
// (Xen public/arch-x86/cpuid.h).
static bool is_xen(void)
{
    for (uint32_t base = CPUID_HYPERVISOR_BASE; base <= CPUID_HYPERVISOR_BASE + 0x100;
         base += 0x100) {
        char bytes[12];
        signature_bytes(machine_cpuid(base, 0), bytes);
        if (memcmp(bytes, "XenVMMXenVMM", sizeof(bytes)) == 0)
            return true;
    }
    return false;
}

static bool open(void)
{
    return machine_in8(DEBUGCON) == DEBUGCON || is_xen();
}

static bool write(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        machine_out8(DEBUGCON, (uint8_t)bytes[i]);
    return true;
}

const struct sink_device console_debugcon = {"debugcon", open, write};
