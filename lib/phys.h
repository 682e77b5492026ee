// How a parser of firmware tables and boot information sees guest-physical memory.
//
// Parsers never follow a physical address themselves: they ask for a view of so many bytes and get
// NULL where there is none. In the image the view is the identity map; in tests and in the
// simulated machine it is a buffer, so a lying pointer is found by a test and not by a fault.
#pragma once

#include "lib/types.h"

struct phys {
    // A readable view of the `length` bytes at guest-physical `address`, or NULL where any of them
    // cannot be read. It stays valid and unmoved for the whole run. The view need not be aligned.
    const void *(*view)(void *context, uint64_t address, uint64_t length);
    void *context;
};

static inline const void *phys_view(const struct phys *phys, uint64_t address, uint64_t length)
{
    return phys->view(phys->context, address, length);
}
