// What firmware tells about the machine: the configuration table (4.6) and GOP (12.9).
#include "boot/efi/efi.h"

#include "lib/text.h"

// Far more than any firmware has: what says more is broken.
#define ENTRIES_MAX 1024
#define OUTPUTS_MAX 64

void efi_collect_tables(struct boot_info *boot, const EFI_SYSTEM_TABLE *system)
{
    static const EFI_GUID guids[] = {ACPI_TABLE_GUID, ACPI_20_TABLE_GUID, SMBIOS_TABLE_GUID,
                                     SMBIOS3_TABLE_GUID};
    uint64_t found[ARRAY_SIZE(guids)] = {0};

    if (system->NumberOfTableEntries > ENTRIES_MAX || !system->ConfigurationTable) {
        boot_note(boot, "the EFI configuration table cannot be read");
        return;
    }
    for (UINTN i = 0; i < system->NumberOfTableEntries; i++) {
        const EFI_CONFIGURATION_TABLE *entry = &system->ConfigurationTable[i];
        for (size_t j = 0; j < ARRAY_SIZE(guids); j++)
            if (memcmp(&entry->VendorGuid, &guids[j], sizeof(guids[j])) == 0)
                found[j] = (uint64_t)entry->VendorTable;
    }
    boot->rsdp = found[1] ? found[1] : found[0];
    boot->smbios = found[3] ? found[3] : found[2];
}

// A mask as position and size; false for one that is not one run of bits.
static bool field_of(uint32_t mask, uint8_t *position, uint8_t *size)
{
    if (!mask)
        return false;
    *position = (uint8_t)__builtin_ctz(mask);
    mask >>= *position;
    if (mask & (mask + 1))
        return false;
    *size = (uint8_t)(mask == UINT32_MAX ? 32 : __builtin_ctz(mask + 1));
    return true;
}

static bool framebuffer_of(struct framebuffer *out, const EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE *mode)
{
    const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info = mode->Info;
    EFI_PIXEL_BITMASK masks = {0xff, 0xff00, 0xff0000, 0xff000000};

    if (!mode->FrameBufferBase || !info)
        return false;
    switch (info->PixelFormat) {
    case PixelRedGreenBlueReserved8BitPerColor:
        break;
    case PixelBlueGreenRedReserved8BitPerColor:
        masks.RedMask = 0xff0000;
        masks.BlueMask = 0xff;
        break;
    case PixelBitMask:
        masks = info->PixelInformation;
        break;
    default: // PixelBltOnly: there is no memory to draw in
        return false;
    }
    uint32_t all = masks.RedMask | masks.GreenMask | masks.BlueMask | masks.ReservedMask;
    *out = (struct framebuffer){.address = mode->FrameBufferBase,
                                .width = info->HorizontalResolution,
                                .height = info->VerticalResolution};
    if (!field_of(masks.RedMask, &out->red.position, &out->red.size) ||
        !field_of(masks.GreenMask, &out->green.position, &out->green.size) ||
        !field_of(masks.BlueMask, &out->blue.position, &out->blue.size))
        return false;
    // The highest bit that means anything, up to whole bytes.
    out->bits = (uint8_t)((32 - __builtin_clz(all) + 7) / 8 * 8);
    uint64_t pitch = (uint64_t)info->PixelsPerScanLine * (out->bits / 8);
    out->pitch = (uint32_t)pitch;
    return pitch == out->pitch;
}

void efi_collect_framebuffer(struct boot_info *boot, EFI_BOOT_SERVICES *services)
{
    static EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
    EFI_HANDLE *handles = NULL;
    UINTN count = 0;

    // A machine without a screen has none of them.
    if (EFI_ERROR(services->LocateHandleBuffer(ByProtocol, &guid, NULL, &count, &handles)))
        return;
    for (UINTN i = 0; i < count && i < OUTPUTS_MAX; i++) {
        VOID *output = NULL;
        struct framebuffer found;
        if (EFI_ERROR(services->HandleProtocol(handles[i], &guid, &output)) || !output)
            continue;
        const EFI_GRAPHICS_OUTPUT_PROTOCOL *graphics = output;
        if (!graphics->Mode || !framebuffer_of(&found, graphics->Mode))
            continue;
        boot->framebuffer = found;
        break;
    }
    services->FreePool(handles);
}
