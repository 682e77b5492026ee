// PCI configuration space by mechanism #1: a host bridge, perhaps a bridge, perhaps a serial card.
#include "tests/sim/model.h"

#define ENABLE       0x80000000u
#define ID           0x00
#define COMMAND      0x04
#define COMMAND_IO   1
#define CLASS        0x08
#define HEADER       0x0c
#define BAR_0        0x10
#define BUSES        0x18
#define BRIDGE       0x1e // device number
#define CARD         0x04
#define CARD_DEVICES 8 // ports

void pci_reset(void)
{
    sim.pci_address = 0;
    sim.pci_command = sim.config->pci.decoding_off ? 0 : COMMAND_IO;
}

bool pci_decodes(uint16_t port)
{
    const struct sim_pci *config = &sim.config->pci;

    return config->present && config->card && sim.pci_command & COMMAND_IO &&
           (unsigned)port - config->port < CARD_DEVICES;
}

static uint32_t read_card(unsigned offset)
{
    const struct sim_pci *config = &sim.config->pci;

    switch (offset) {
    case ID:
        return 0x00021b36;
    case COMMAND:
        return 0x02000000 | sim.pci_command;
    case CLASS:
        return 0x07000001 | (uint32_t)config->interface << 8;
    case BAR_0:
        return config->memory_bar ? 0xfeb00000 : config->port | 1u;
    default:
        return 0;
    }
}

// A machine of lies: on every bus every function is there and a bridge to any bus.
static uint32_t read_lie(unsigned offset)
{
    return offset == HEADER ? 0x00810000 : (uint32_t)sim_random(&sim.random) | 1;
}

uint32_t pci_config_read(uint16_t port)
{
    if (port == 0xcf8)
        return sim.pci_address;
    const struct sim_pci *config = &sim.config->pci;
    unsigned bus = sim.pci_address >> 16 & 0xff, device = sim.pci_address >> 11 & 0x1f,
             function = sim.pci_address >> 8 & 7, offset = sim.pci_address & 0xfc;

    if (!(sim.pci_address & ENABLE))
        sim_violation("PCI configuration space is read but not selected", port, sim.pci_address);
    if (config->lies)
        return read_lie(offset);
    if (config->card && bus == (config->bridged ? 3u : 0u) && device == CARD && function == 0)
        return read_card(offset);
    if (bus == 0 && device == 0 && function == 0)
        return offset == ID ? 0x12378086 : offset == CLASS ? 0x06000002 : 0;
    if (config->bridged && bus == 0 && device == BRIDGE && function == 1)
        return offset == ID       ? 0x244e8086
               : offset == CLASS  ? 0x06040000
               : offset == HEADER ? 0x00010000
               : offset == BUSES  ? 0x00030300
                                  : 0;
    // The bridge is the second function of its device.
    if (config->bridged && bus == 0 && device == BRIDGE && function == 0)
        return offset == ID ? 0x29188086 : offset == HEADER ? 0x00800000 : 0;
    return UINT32_MAX;
}

void pci_config_write(uint16_t port, uint32_t value)
{
    if (port == 0xcf8) {
        sim.pci_address = value & 0x80fffffc;
        return;
    }
    const struct sim_pci *config = &sim.config->pci;
    uint32_t card = ENABLE | (config->bridged ? 3u << 16 : 0) | CARD << 11 | COMMAND;

    if (!config->card || config->lies || sim.pci_address != card || value >> 16)
        sim_violation("a write to PCI configuration space", sim.pci_address, value);
    else
        sim.pci_command = (uint16_t)value;
}
