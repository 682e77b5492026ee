// Memory, and leaving boot services: 7.2 "Memory Allocation Services", 7.4 ExitBootServices.
#include "boot/efi/efi.h"

#define LOW_MEMORY_END 0xa0000ull // the VGA window
#define LOW_PAGES      2

// Firmware's timer may change the map between the two calls: then the key is old, and one tries
// again. It cannot go on for ever, since nothing else of firmware is called.
#define LEAVE_TRIES 8

// Firmware wants 48 bytes an entry, and has 60 to 300 of them.
static union {
    EFI_MEMORY_DESCRIPTOR first;
    uint8_t bytes[65536];
} memory_map;

void efi_reserve_low_page(struct boot_info *boot, EFI_BOOT_SERVICES *services)
{
    EFI_PHYSICAL_ADDRESS address = LOW_MEMORY_END - 1;
    EFI_STATUS status =
        services->AllocatePages(AllocateMaxAddress, EfiLoaderData, LOW_PAGES, &address);

    if (EFI_ERROR(status) || address >= LOW_MEMORY_END)
        boot_note(boot, "no memory below 1 MiB for other CPUs to start in (status 0x%llx)",
                  (unsigned long long)status);
    else
        boot->low_page = address;
}

static void take_map(struct boot_info *boot, UINTN size, UINTN entry_size)
{
    for (UINTN at = 0; size - at >= entry_size; at += entry_size) {
        EFI_MEMORY_DESCRIPTOR entry;
        __builtin_memcpy(&entry, memory_map.bytes + at, sizeof(entry));
        if (!boot_add_efi_region(boot, entry.Type, entry.PhysicalStart, entry.NumberOfPages))
            return;
    }
}

EFI_STATUS efi_leave_boot_services(struct boot_info *boot, EFI_BOOT_SERVICES *services,
                                   EFI_HANDLE image)
{
    EFI_STATUS status = EFI_SUCCESS;
    UINTN size, entry_size = 0;

    for (unsigned i = 0; i < LEAVE_TRIES; i++) {
        UINTN key = 0;
        UINT32 version = 0;
        size = sizeof(memory_map);
        status = services->GetMemoryMap(&size, &memory_map.first, &key, &entry_size, &version);
        if (EFI_ERROR(status))
            return status;
        if (entry_size < sizeof(memory_map.first) || size > sizeof(memory_map))
            return EFI_LOAD_ERROR;
        status = services->ExitBootServices(image, key);
        if (status == EFI_SUCCESS) {
            take_map(boot, size, entry_size);
            return status;
        }
    }
    return status;
}
