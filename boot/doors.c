// Which door was it? Then the door's own parser, then the kernel.
#include "boot/doors.h"

#include <machine.h>

#define MULTIBOOT1_MAGIC 0x2badb002u // in EAX; Multiboot Specification 0.6.96, section 3.2
#define MULTIBOOT2_MAGIC 0x36d76289u // in EAX; Multiboot 2 Specification 2.0, section 3.3
#define PVH_MAGIC        0x336ec578u // first word of the start information

// Ours: boot/linux.inc.
#define LINUX16_MAGIC 0x3631584cu
#define LINUX32_MAGIC 0x3233584cu
#define LINUX64_MAGIC 0x3436584cu

extern const char payload_start[], payload_text_end[], payload_end[], stack_guard[];

_Noreturn void boot_main(uint32_t magic, uint32_t address);

// Called by boot/entry.asm with the loader's magic and the address of its information.
_Noreturn void boot_main(uint32_t magic, uint32_t address)
{
    static struct boot_info boot;
    static struct paging_image image;

    descriptors_install();
    processor_mask_interrupts();
    image = (struct paging_image){(uint64_t)payload_start, (uint64_t)payload_text_end,
                                  (uint64_t)payload_end, (uint64_t)stack_guard};
    processor_use_tables(paging_start(&image, processor_paging()));

    const uint32_t *first_word = phys_view(&machine_phys, address, sizeof(uint32_t));
    // PVH says nothing about EAX, and QEMU's microvm leaves the Multiboot magic there: EBX decides
    // first.
    if (first_word && *first_word == PVH_MAGIC)
        pvh_parse(&boot, &machine_phys, address);
    else if (magic == MULTIBOOT1_MAGIC)
        multiboot1_parse(&boot, &machine_phys, address);
    else if (magic == MULTIBOOT2_MAGIC)
        multiboot2_parse(&boot, &machine_phys, address);
    else if (magic == LINUX16_MAGIC)
        linux_parse(&boot, &machine_phys, address, BOOT_LINUX16);
    else if (magic == LINUX32_MAGIC)
        linux_parse(&boot, &machine_phys, address, BOOT_LINUX32);
    else if (magic == LINUX64_MAGIC)
        linux_parse(&boot, &machine_phys, address, BOOT_LINUX64);
    else
        boot_note(&boot, "unknown loader: EAX 0x%08x is not Multiboot, EBX 0x%08x not PVH", magic,
                  address);
    boot_check_regions(&boot);
    paging_add(&boot);
    machine_set_cr3(machine_cr3()); // what was missing may be remembered as missing
    kernel_main(&boot);
}
