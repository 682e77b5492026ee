#include "kernel/boot_info.h"

const char *boot_protocol_word(enum boot_protocol protocol)
{
    static const char *const words[] = {
        [BOOT_UNKNOWN] = "unknown",       [BOOT_MULTIBOOT1] = "multiboot1",
        [BOOT_MULTIBOOT2] = "multiboot2", [BOOT_PVH] = "pvh",
        [BOOT_LINUX16] = "linux16",       [BOOT_LINUX32] = "linux32",
        [BOOT_LINUX64] = "linux64",       [BOOT_EFI] = "efi",
    };

    return words[protocol];
}
