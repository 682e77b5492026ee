// The option ROM of VMware's Virtual Machine Interface, the paravirtual interface of 2006 that
// Linux supported until 2.6.36. Source of all offsets: Linux 2.6.30, arch/x86/include/asm/vmi.h.
#pragma once

#include "lib/phys.h"
#include "lib/types.h"

struct vmi_rom {
    uint64_t address; // 0: there is none
    uint32_t length;  // bytes, as the header says
    uint8_t api_major, api_minor;
    uint8_t slots;        // of its jump table
    uint32_t virtual_top; // linear address below which it claims memory
    bool sums_to_zero;    // as every option ROM has to
};

// Looks for it at every 2 KiB from 0xC0000 to 0xDFFFF. Reads memory through `phys` only.
void vmi_find(struct vmi_rom *rom, const struct phys *phys);
