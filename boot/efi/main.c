// The UEFI door, top to bottom. boot/efi/link.ld makes of it, and of the kernel, one PE file.
#include "boot/efi/efi.h"

#include <machine.h>

#include "lib/text.h"

// boot/efi/link.ld
extern const char image_start[], image_text_end[], image_end[], stack_guard[];

static struct boot_info boot;

static void copy_ascii(char *to, size_t size, const CHAR16 *from)
{
    struct text text;

    text_init(&text, to, size);
    for (; from && *from && !text.truncated; from++)
        text_char(&text, (char)(*from >= ' ' && *from <= '~' ? *from : '?'));
}

// Says what is wrong and gives the status to whoever started us. By Exit, since gnu-efi's crt0 does
// not bring back RSI and RDI as its caller wants them (2.3.4.2).
static EFI_STATUS give_up(EFI_HANDLE image, EFI_SYSTEM_TABLE *system, const char *what,
                          EFI_STATUS status)
{
    char line[96];
    CHAR16 wide[sizeof(line)];
    size_t length = text_print(line, sizeof(line), "hypertick: error: %s (status 0x%llx)\r\n", what,
                               (unsigned long long)status);

    for (size_t i = 0; i <= length; i++)
        wide[i] = (CHAR16)line[i];
    if (system->ConOut)
        system->ConOut->OutputString(system->ConOut, wide);
    system->BootServices->Exit(image, status, 0, NULL);
    return status;
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
    static EFI_GUID loaded_image_guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;
    static struct paging_image where;
    EFI_BOOT_SERVICES *services = system->BootServices;
    VOID *loaded;

    boot.protocol = BOOT_EFI;
    boot.efi_system_table = (uint64_t)system;
    copy_ascii(boot.loader, sizeof(boot.loader), system->FirmwareVendor);
    // It would reset the machine five minutes after the start (7.5), in a long window.
    services->SetWatchdogTimer(0, 0, 0, NULL);
    EFI_STATUS status = services->HandleProtocol(image, &loaded_image_guid, &loaded);
    if (EFI_ERROR(status))
        return give_up(image, system, "the program is no loaded image", status);
    efi_collect_options(&boot, services, loaded);
    efi_collect_tables(&boot, system);
    efi_collect_framebuffer(&boot, services);
    efi_reserve_low_page(&boot, services);
    status = efi_leave_boot_services(&boot, services, image);
    if (EFI_ERROR(status))
        return give_up(image, system, "boot services cannot be left", status);

    // From here on there is no way back.
    descriptors_install();
    processor_mask_interrupts();
    where = (struct paging_image){(uint64_t)image_start, (uint64_t)image_text_end,
                                  (uint64_t)image_end, (uint64_t)stack_guard};
    uint64_t root = paging_start(&where, processor_paging());
    boot_check_regions(&boot);
    paging_add(&boot);
    efi_enter(&boot, root);
}

_Noreturn void efi_run(struct boot_info *info, uint64_t root)
{
    processor_use_tables(root);
    kernel_main(info);
}
