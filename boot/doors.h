// The doors: each turns what its loader left into a struct boot_info.
//
// A parser never follows a pointer but through `phys`, and what it finds wrong becomes a note; so
// it can be fuzzed on the host with any bytes as memory. It adds to a boot_info that is all zero.
#pragma once

#include "boot/paging.h"
#include "kernel/boot_info.h"
#include "lib/phys.h"

// Multiboot 1 information at `address` (Multiboot Specification 0.6.96, section 3.3).
void multiboot1_parse(struct boot_info *boot, const struct phys *phys, uint64_t address);

// Multiboot 2 information at `address` (Multiboot 2 Specification 2.0, section 3.6).
void multiboot2_parse(struct boot_info *boot, const struct phys *phys, uint64_t address);

// Linux's boot_params at `address`, for one of the protocols BOOT_LINUX16, _32 and _64 (Linux
// Documentation/arch/x86/zero-page.rst).
void linux_parse(struct boot_info *boot, const struct phys *phys, uint64_t address,
                 enum boot_protocol protocol);

// The PVH start information at `address` (Xen public/arch-x86/hvm/start_info.h).
void pvh_parse(struct boot_info *boot, const struct phys *phys, uint64_t address);

// For the parsers, in boot/collect.c:

// Adds a note; past BOOT_NOTES_MAX it is only counted.
void boot_note(struct boot_info *boot, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Copies the NUL-terminated string at `address`. `what` names it in notes: where it cannot be read,
// or does not end within `size` bytes and is cut.
void boot_copy_string(struct boot_info *boot, const struct phys *phys, uint64_t address,
                      const char *what, char *to, size_t size);

// Adds entry `index`, counted from 0, of the memory map; an empty one is left out, one that wraps
// too, with a note. False, with a note: `index` has reached BOOT_REGIONS_MAX, and the rest of the
// map is left out, so that the length that a loader claims bounds nothing.
bool boot_add_region(struct boot_info *boot, unsigned index, uint64_t base, uint64_t length,
                     uint32_t type);

// Adds an entry of EFI's memory map: `pages` of 4 KiB of EFI's own type (UEFI 2.10, table 7.6).
// What borders on the entry before and is of one type to us becomes one region with it, as EFI has
// many types that are RAM to us. For the rest as boot_add_region.
bool boot_add_efi_region(struct boot_info *boot, uint32_t type, uint64_t base, uint64_t pages);

// Adds a note where two regions have memory in common: one of them is wrong. Only the first pair is
// named. After the parser.
void boot_check_regions(struct boot_info *boot);

// Installs our GDT, TSS and IDT (boot/descriptors.c).
void descriptors_install(void);

// Masks all interrupts at the 8259s (boot/processor.c). They stay off in the CPU, too, but a timer
// that firmware left running should not even ask.
void processor_mask_interrupts(void);

// What our page tables need of this CPU. Sets EFER.NXE where there is one, so
// our IDT must be installed before.
struct paging_cpu processor_paging(void);

// Puts the root of page tables into CR3, with CR0.WP set and nothing kept of earlier translations.
void processor_use_tables(uint64_t root);
