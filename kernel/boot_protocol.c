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

// docs/options.md has the same list. Firecracker, Cloud Hypervisor and kvmtool (x86/kvm.c,
// builtin-run.c) add what Linux needs; Xen's dom0 gets "dummy"; GRUB names the file.
static const char *const added_for_linux[] = {
    "BOOT_IMAGE=",
    "initrd=",
    "init=",
    "ip=",
    "rootflags=",
    "rootfstype=",
    "earlyprintk=",
    "console=",
    "reboot=",
    "panic=",
    "pci=",
    "root=",
    "8250.nr_uarts=",
    "virtio_mmio.device=",
    "i8042.",
    "nomodule",
    "nomodules",
    "noapic",
    "noacpi",
    "dummy",
    "ro",
    "rw",
    NULL,
};

const char *const *boot_protocol_added_words(enum boot_protocol protocol)
{
    static const char *const none[] = {NULL};
    bool is_linux = protocol == BOOT_PVH || protocol == BOOT_LINUX16 || protocol == BOOT_LINUX32 ||
                    protocol == BOOT_LINUX64;

    return is_linux ? added_for_linux : none;
}
