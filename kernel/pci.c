#include "kernel/pci.h"

#include <machine.h>

#include "lib/text.h"

#define ADDRESS        0xcf8
#define DATA           0xcfc
#define ADDRESS_ENABLE 0x80000000u

#define BUSES_MAX       32
#define DEVICES         32
#define FUNCTIONS       8
#define HEADER_MULTIPLE 0x800000u // of PCI_HEADER: the device has more than one function
#define HEADER_TYPE(v)  ((v) >> 16 & 0x7f)
#define TYPE_BRIDGE     1
#define BRIDGE_BUSES    0x18 // primary bus, secondary, ...: PCI-to-PCI Bridge Architecture 1.2, 3.2

static void select(struct pci_function function, uint8_t offset)
{
    machine_out32(ADDRESS, ADDRESS_ENABLE | (uint32_t)function.bus << 16 |
                               (uint32_t)function.device << 11 | (uint32_t)function.function << 8 |
                               (offset & 0xfcu));
}

bool pci_present(void)
{
    machine_out32(ADDRESS, ADDRESS_ENABLE);
    return machine_in32(ADDRESS) == ADDRESS_ENABLE;
}

uint32_t pci_read(struct pci_function function, uint8_t offset)
{
    select(function, offset);
    return machine_in32(DATA);
}

void pci_write(struct pci_function function, uint8_t offset, uint32_t value)
{
    select(function, offset);
    machine_out32(DATA, value);
}

// The buses that are still to be visited. A bridge's bus has a higher number than the one that the
// bridge is on, so that no lie makes the walk go round.
struct walk {
    uint8_t buses[BUSES_MAX];
    size_t count;
};

static void add_bus(struct walk *walk, uint8_t parent, uint8_t bus)
{
    for (size_t i = 0; i < walk->count; i++)
        if (walk->buses[i] == bus)
            return;
    if (bus > parent && walk->count < BUSES_MAX)
        walk->buses[walk->count++] = bus;
}

bool pci_find(bool (*visit)(struct pci_function function, void *context), void *context)
{
    struct walk walk = {{0}, 1};

    if (!pci_present())
        return false;
    for (size_t i = 0; i < walk.count; i++) {
        unsigned functions = 1;
        for (unsigned at = 0; at < DEVICES * FUNCTIONS; at++) {
            struct pci_function function = {walk.buses[i], (uint8_t)(at / FUNCTIONS),
                                            at % FUNCTIONS};
            if (function.function == 0)
                functions = 1;
            if (function.function >= functions)
                continue;
            uint32_t id = pci_read(function, PCI_ID) & 0xffff;
            if (id == 0 || id == 0xffff)
                continue;
            uint32_t header = pci_read(function, PCI_HEADER);
            if (header & HEADER_MULTIPLE)
                functions = FUNCTIONS;
            if (HEADER_TYPE(header) == TYPE_BRIDGE)
                add_bus(&walk, function.bus, pci_read(function, BRIDGE_BUSES) >> 8 & 0xff);
            else if (visit(function, context))
                return true;
        }
    }
    return false;
}

void pci_name(struct pci_function function, char name[PCI_NAME_SIZE])
{
    text_print(name, PCI_NAME_SIZE, "%02x:%02x.%u", function.bus, function.device,
               function.function);
}
