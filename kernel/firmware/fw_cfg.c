// QEMU's firmware configuration device: named files from QEMU's command line
// (-fw_cfg name=opt/hypertick/options,string="window=10ms"). QEMU docs/specs/fw_cfg.txt.
#include "kernel/firmware/firmware.h"

#include <machine.h>

#include "lib/text.h"

#define SELECTOR 0x510 // 16 bits, write only
#define DATA     0x511 // 8 bits, the next byte of what is selected

#define KEY_SIGNATURE 0x0000
#define KEY_DIRECTORY 0x0019

// The directory: a count, then its files, numbers in big-endian.
struct entry {
    uint8_t size[4];
    uint8_t key[2];
    uint8_t reserved[2];
    char name[56];
};
#define ENTRIES_MAX 512 // QEMU has some dozens
#define FILE_NAME   "opt/hypertick/options"

bool qemu_is_possible(const struct platform *platform)
{
    char bytes[12];

    signature_bytes(machine_cpuid(CPUID_HYPERVISOR_BASE, 0), bytes);
    if (signature_find(bytes))
        return true;
    for (size_t i = 0; platform && i < platform->scan.block_count; i++)
        if (platform->scan.blocks[i].known)
            return true;
    return platform && (text_starts_with(platform->acpi.oem_id, "BOCHS") ||
                        text_starts_with(platform->smbios.manufacturer, "QEMU"));
}

static void read(void *to, size_t length)
{
    uint8_t *bytes = to;

    for (size_t i = 0; i < length; i++)
        bytes[i] = machine_in8(DATA);
}

static uint32_t big_endian(const uint8_t *bytes, size_t length)
{
    uint32_t value = 0;

    while (length-- > 0)
        value = value << 8 | *bytes++;
    return value;
}

static bool find(struct fw_cfg *fw_cfg, uint32_t *size, uint16_t *key)
{
    struct entry entry;
    uint8_t count_bytes[4];

    machine_out16(SELECTOR, KEY_DIRECTORY);
    read(count_bytes, sizeof(count_bytes));
    uint32_t count = big_endian(count_bytes, sizeof(count_bytes));
    if (count > ENTRIES_MAX) {
        text_print(fw_cfg->problem, sizeof(fw_cfg->problem),
                   "its directory states %u files: not read", count);
        return false;
    }
    for (; count > 0; count--) {
        read(&entry, sizeof(entry));
        if (memcmp(entry.name, FILE_NAME, sizeof(FILE_NAME)) != 0)
            continue;
        *size = big_endian(entry.size, sizeof(entry.size));
        *key = (uint16_t)big_endian(entry.key, sizeof(entry.key));
        return true;
    }
    return false;
}

void fw_cfg_read(struct platform *platform)
{
    struct fw_cfg *fw_cfg = &platform->fw_cfg;
    char signature[4];
    uint32_t size;
    uint16_t key;

    memset(fw_cfg, 0, sizeof(*fw_cfg));
    if (!qemu_is_possible(platform))
        return;
    machine_out16(SELECTOR, KEY_SIGNATURE);
    read(signature, sizeof(signature));
    fw_cfg->present = memcmp(signature, "QEMU", sizeof(signature)) == 0;
    if (!fw_cfg->present || !find(fw_cfg, &size, &key))
        return;
    if (size >= sizeof(fw_cfg->options)) {
        text_print(fw_cfg->problem, sizeof(fw_cfg->problem),
                   FILE_NAME " has %u bytes, of which the first %zu are read", size,
                   sizeof(fw_cfg->options) - 1);
        size = sizeof(fw_cfg->options) - 1;
    }
    fw_cfg->has_options = true;
    machine_out16(SELECTOR, key);
    read(fw_cfg->options, size);
    // A file may hold line ends, and NULs, which would hide what follows them: they separate words.
    for (uint32_t i = 0; i < size; i++)
        if (fw_cfg->options[i] < ' ')
            fw_cfg->options[i] = ' ';
}
