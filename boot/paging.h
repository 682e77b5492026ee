// Our own page tables, the same for every door: an identity map.
//
//     low 4 GiB     always, cached; uncached from 3 GiB up and in the VGA window
//     boot_info     regions, RSDP, SMBIOS entry point and framebuffer, wherever they lie
//     the image     wherever it lies; text cannot be written, data not executed
//     stack guard   left out
//
// Nothing here touches the CPU, so that it is tested on the host: a door puts the root into CR3.
#pragma once

#include "kernel/boot_info.h"

// What the CPU can do, or already does.
struct paging_cpu {
    bool giant;            // 1 GiB pages: CPUID 0x80000001 EDX bit 26
    bool no_execute;       // CPUID 0x80000001 EDX bit 20, and EFER.NXE will be set
    bool five_levels;      // CR4.LA57 is set
    unsigned address_bits; // physical: CPUID 0x80000008 EAX bits 7 to 0
};

// Where the image was loaded. A page that is partly text and partly data is both.
struct paging_image {
    uint64_t start, text_end, end;
    uint64_t guard; // the page below the stack
};

// Builds the tables but for what boot_info names. Gives the address of the root, for CR3: it lies
// in the image. `image` must stay.
uint64_t paging_start(const struct paging_image *image, struct paging_cpu cpu);

// Takes a page out of the tables: a guard below a stack. The tables may be in use, but for this
// page. One in the image, whose tables are there from the beginning.
void paging_guard(uint64_t page);

// Adds what boot_info names. What there is no room for, or no address space, becomes a boot note.
// The tables may be in use: an entry changes by one store. Writing CR3 again is left to the caller.
void paging_add(struct boot_info *boot);
