// Which door was it? Then the door's own parser, then the kernel.
#include "boot/doors.h"

#include <machine.h>

#define MULTIBOOT1_MAGIC 0x2badb002u // in EAX; Multiboot Specification 0.6.96, section 3.2
#define PVH_MAGIC        0x336ec578u // first word of the start information

// The two 8259 interrupt controllers' mask registers.
#define PIC_1_MASK 0x21
#define PIC_2_MASK 0xa1

_Noreturn void boot_main(uint32_t magic, uint32_t address);

// Called by boot/entry32.asm with what the loader left in EAX and EBX.
_Noreturn void boot_main(uint32_t magic, uint32_t address)
{
    static struct boot_info boot;
    const uint32_t *first_word = phys_view(&machine_phys, address, sizeof(uint32_t));

    descriptors_install();
    // Interrupts stay off, but a timer that firmware left running should not even ask.
    machine_out8(PIC_1_MASK, 0xff);
    machine_out8(PIC_2_MASK, 0xff);
    // PVH says nothing about EAX, and QEMU's microvm leaves the Multiboot magic there: EBX decides
    // first.
    if (first_word && *first_word == PVH_MAGIC)
        pvh_parse(&boot, &machine_phys, address);
    else if (magic == MULTIBOOT1_MAGIC)
        multiboot1_parse(&boot, &machine_phys, address);
    else
        boot_note(&boot, "unknown loader: EAX 0x%08x is not Multiboot 1, EBX 0x%08x not PVH", magic,
                  address);
    kernel_main(&boot);
}
