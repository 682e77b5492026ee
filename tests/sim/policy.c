// What the kernel may do to a device that is not there.
//
// Most devices are found through a table or an identification, and whoever touches their addresses
// without one guesses. The exceptions are listed here, each with the reason why it is harmless.
#include "tests/sim/model.h"

enum direction { READ, WRITE };

struct rule {
    enum sim_space space;
    uint64_t first, last;
    enum direction direction;
    bool virtual_only; // holds only where CPUID, or QEMU's fw_cfg, shows a hypervisor
    const char *reason;
};

static const struct rule rules[] = {
    {SPACE_PORT, 0x40, 0x43, READ, false, "an 8254 has no identification: its count must be read"},
    {SPACE_PORT, 0x40, 0x43, WRITE, false, "and must be started to be read"},
    {SPACE_PORT, 0x20, 0x21, WRITE, false, "where the PIC is since the IBM PC: it must be masked"},
    {SPACE_PORT, 0xa0, 0xa1, WRITE, false, "and the second one"},
    {SPACE_PORT, 0x21, 0x21, READ, false, "its mask tells whether it is there"},
    {SPACE_PORT, 0x61, 0x61, READ, false, "reads have no effect; 0xff tells that it is absent"},
    {SPACE_PORT, 0x80, 0x80, WRITE, false, "POST codes: system software writes there for a delay"},
    {SPACE_PORT, 0x5658, 0x5658, READ, true, "VMware's backdoor answers there, and QEMU's"},
    {SPACE_PORT, 0x70, 0x70, WRITE, false, "an index alone does nothing"},
    {SPACE_PORT, 0x71, 0x71, READ, false, "0xff tells that there is no CMOS clock"},
    {SPACE_PORT, 0x2f8, 0x2ff, READ, false, "COM2's place since the IBM PC; 0xff: absent"},
    {SPACE_PORT, 0x3f8, 0x3ff, READ, false, "COM1's place since the IBM PC; 0xff: absent"},
    {SPACE_PORT, 0x2e8, 0x2ef, READ, false, "COM4's place; 0xff: absent"},
    {SPACE_PORT, 0x3e8, 0x3ef, READ, false, "COM3's place; 0xff: absent"},
    {SPACE_PORT, 0x2ef, 0x2ef, WRITE, false, "a scratch register is there to be written"},
    {SPACE_PORT, 0x3ef, 0x3ef, WRITE, false, "a scratch register is there to be written"},
    {SPACE_PORT, 0xcf8, 0xcf8, WRITE, false, "PCI's address register tells itself"},
    {SPACE_PORT, 0xcf8, 0xcf8, READ, false, "by holding what is written to it"},
    {SPACE_PORT, 0x402, 0x402, READ, false, "as port 0xe9"},
    {SPACE_PORT, 0x2ff, 0x2ff, WRITE, false, "a scratch register is there to be written"},
    {SPACE_PORT, 0x3ff, 0x3ff, WRITE, false, "a scratch register is there to be written"},
    {SPACE_PORT, 0xe9, 0xe9, READ, false, "the debug console tells itself by reading as 0xe9"},
    {SPACE_PORT, 0xf4, 0xf4, WRITE, true, "QEMU's exit device has no identification"},
    {SPACE_PORT, 0x64, 0x64, READ, false, "the keyboard controller's status, before a reset"},
    {SPACE_PORT, 0x64, 0x64, WRITE, false, "reset, when there is nothing left to lose"},
    {SPACE_PORT, 0x510, 0x510, WRITE, true, "fw_cfg shows its signature only to who asks for it"},
    {SPACE_PORT, 0x511, 0x511, READ, true, "that signature"},
    {SPACE_PORT, 0x3d4, 0x3d5, WRITE, false, "a cursor register tells that a VGA is there"},
    {SPACE_PORT, 0x3d5, 0x3d5, READ, false, "by holding what is written to it"},
    {SPACE_PORT, 0xcf9, 0xcf9, WRITE, false, "reset, when there is nothing left to lose"},
    {SPACE_MMIO, 0xfed00000, 0xfed00007, READ, false, "where every chipset has its HPET"},
};

void policy_check(enum sim_space space, uint64_t address, bool write, uint64_t value)
{
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        const struct rule *rule = &rules[i];
        if (rule->space == space && rule->first <= address && address <= rule->last &&
            (rule->direction == WRITE) == write &&
            (!rule->virtual_only || sim.config->cpuid.hypervisor_bit || sim.config->fw_cfg.present))
            return;
    }
    if (space == SPACE_PORT)
        sim_violation(write ? "write to a port where nothing is"
                            : "read of a port where nothing is",
                      address, value);
    else
        sim_violation(write ? "write to device memory where nothing is"
                            : "read of device memory where nothing is",
                      address, value);
}
