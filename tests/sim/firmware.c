// SMBIOS tables (DMTF DSP0134 3.7) and QEMU's fw_cfg device (QEMU docs/specs/fw_cfg.txt) of the
// simulated machine, and what may be wrong with them.
#include "tests/sim/model.h"

#include <assert.h>
#include <string.h>

#define TABLE (SIM_SMBIOS + 0x20)

static uint8_t *smbios_end;

static void seal(uint8_t *bytes, size_t length, size_t checksum)
{
    uint8_t sum = 0;

    bytes[checksum] = 0;
    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + bytes[i]);
    bytes[checksum] = (uint8_t)-sum;
}

// Appends a structure of `length` bytes; its strings, numbered from 1, go to the `fields`.
static uint8_t *add(uint8_t type, uint8_t length, const char *const strings[],
                    const uint8_t *fields)
{
    uint8_t *structure = smbios_end;
    uint8_t number = 0;

    structure[0] = type;
    structure[1] = length;
    smbios_end += length;
    for (; strings && *fields; fields++, strings++) {
        if (!*strings)
            continue;
        structure[*fields] = ++number;
        memcpy(smbios_end, *strings, strlen(*strings));
        smbios_end += strlen(*strings) + 1;
    }
    smbios_end += number ? 1 : 2;
    return structure;
}

void smbios_build(void)
{
    static const uint8_t fields[] = {4, 5, 0}, oem_fields[] = {4, 0}, none[] = {0};
    const struct sim_smbios *config = &sim.config->smbios;

    if (!config->present)
        return;
    uint8_t *entry = memory_at(SIM_SMBIOS, SIM_SMBIOS_LENGTH);
    uint8_t *table = memory_at(TABLE, 1);
    uint32_t address = TABLE;
    smbios_end = table;
    uint8_t *bios = add(0, 0x18, (const char *const[]){config->bios_vendor, NULL}, fields);
    bios[0x13] = config->virtual_machine ? 0x10 : 0;
    add(1, 0x1b, (const char *const[]){config->manufacturer, config->product}, fields);
    if (config->processor) {
        uint8_t *processor = add(4, 0x30, NULL, none);
        memcpy(processor + 0x12, &config->external_mhz, 2);
        memcpy(processor + 0x14, &config->max_mhz, 2);
        memcpy(processor + 0x16, &config->current_mhz, 2);
    }
    // The count of strings is where their number would be, and both are 1.
    if (config->oem_string)
        add(11, 5, (const char *const[]){config->oem_string}, oem_fields);
    add(127, 4, NULL, none);
    uint16_t length = (uint16_t)(smbios_end - table);
    assert(smbios_end - entry <= SIM_SMBIOS_LENGTH);
    memcpy(entry, "_SM_\0\x1f\x02\x08", 8);
    memcpy(entry + 16, "_DMI_", 5);
    memcpy(entry + 22, &length, 2);
    memcpy(entry + 24, &address, 4);
    seal(entry + 16, 15, 5);
    seal(entry, 31, 4);
    if (config->damaged)
        entry[4]++;
}

// --- fw_cfg

#define OPTIONS_KEY 0x2a

void fw_cfg_select(uint16_t key)
{
    sim.fw_cfg_key = key;
    sim.fw_cfg_at = 0;
}

static uint8_t from(const void *bytes, size_t length)
{
    uint32_t at = sim.fw_cfg_at++;

    return at < length ? ((const uint8_t *)bytes)[at] : 0;
}

uint8_t fw_cfg_read_byte(void)
{
    const struct sim_fw_cfg *config = &sim.config->fw_cfg;
    uint8_t directory[4 + 2 * 64] = {0, 0, 0, 1};
    uint8_t *file = directory + 4;

    switch (sim.fw_cfg_key) {
    case 0x0000:
        return from(config->lie == SIM_FW_CFG_OTHER ? "XEMU" : "QEMU", 4);
    case 0x0019:
        memcpy(file + 8, "bootorder", 9);
        if (config->options) {
            size_t size = strlen(config->options);
            directory[3] = 2;
            file += 64;
            file[2] = (uint8_t)(size >> 8);
            file[3] = (uint8_t)size;
            file[5] = OPTIONS_KEY;
            memcpy(file + 8, "opt/hypertick/options", 21);
        }
        if (config->lie == SIM_FW_CFG_HUGE)
            memset(file, 0xff, 4);
        if (config->lie == SIM_FW_CFG_ENDLESS)
            memset(directory, 0xff, 4);
        return from(directory, sizeof(directory));
    case OPTIONS_KEY:
        return from(config->options, config->options ? strlen(config->options) : 0);
    default:
        return 0;
    }
}
