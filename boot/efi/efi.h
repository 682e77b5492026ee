// The pieces of the UEFI door. UEFI Specification 2.10; the sections are named where they are used.
//
// All of this runs while firmware is alive, on its stack and page tables, but for what main.c does
// after ExitBootServices. Firmware's functions are called as the headers of gnu-efi declare them.
#pragma once

#include <efi.h>

#include "boot/doors.h"

// boot/efi/options.c

// Fills boot->cmdline: the words of hypertick.conf beside the program, then "--" and the load
// options, which so win where both say something; and boot->options_from. What cannot be read
// becomes a note.
void efi_collect_options(struct boot_info *boot, EFI_BOOT_SERVICES *services,
                         const EFI_LOADED_IMAGE *program);

// boot/efi/tables.c

// Takes the RSDP and the SMBIOS entry point, the newer of two, from the configuration table.
void efi_collect_tables(struct boot_info *boot, const EFI_SYSTEM_TABLE *system);

// Takes the first linear framebuffer among the graphics outputs.
void efi_collect_framebuffer(struct boot_info *boot, EFI_BOOT_SERVICES *services);

// boot/efi/memory.c

// Reserves boot->low_page, with a note where there is none.
void efi_reserve_low_page(struct boot_info *boot, EFI_BOOT_SERVICES *services);

// Leaves boot services and takes the memory map as it is then. After an error they may be half
// gone: only returning to firmware makes sense.
EFI_STATUS efi_leave_boot_services(struct boot_info *boot, EFI_BOOT_SERVICES *services,
                                   EFI_HANDLE image);

// boot/efi/main.c and enter.asm

// What crt0 calls. Returns only on an error before ExitBootServices.
EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

// Goes on in efi_run, on our stack.
_Noreturn void efi_enter(struct boot_info *info, uint64_t root);
_Noreturn void efi_run(struct boot_info *info, uint64_t root);
