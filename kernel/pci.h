// PCI configuration space by configuration mechanism #1: PCI Local Bus Specification 3.0, section
// 3.2.2.3.2. Machines that have only the memory-mapped mechanism count as having no PCI bus.
#pragma once

#include "lib/types.h"

// Registers, PCI Local Bus Specification 3.0, section 6.1; each is a word of 32 bits.
#define PCI_ID         0x00
#define PCI_COMMAND    0x04 // status above it
#define PCI_COMMAND_IO 0x0001
#define PCI_CLASS      0x08 // class, subclass, programming interface, revision
#define PCI_HEADER     0x0c
#define PCI_BAR_0      0x10
#define PCI_BAR_IO     0x01

struct pci_function {
    uint8_t bus, device, function;
};

// Does the mechanism answer?
bool pci_present(void);

// A register, by its offset in bytes: a multiple of 4. All ones where there is no such function.
uint32_t pci_read(struct pci_function function, uint8_t offset);
void pci_write(struct pci_function function, uint8_t offset, uint32_t value);

// Visits every function on bus 0 and behind its bridges, at most 32 buses, until `visit` is true.
// True if it was.
bool pci_find(bool (*visit)(struct pci_function function, void *context), void *context);

// As people write it, "00:04.0".
#define PCI_NAME_SIZE 8
void pci_name(struct pci_function function, char name[PCI_NAME_SIZE]);
