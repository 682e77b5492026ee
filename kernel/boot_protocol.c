#include "kernel/boot_info.h"

const char *boot_protocol_word(enum boot_protocol protocol)
{
    static const char *const words[] = {
        [BOOT_UNKNOWN] = "unknown",
        [BOOT_MULTIBOOT1] = "multiboot1",
        [BOOT_PVH] = "pvh",
    };

    return words[protocol];
}
