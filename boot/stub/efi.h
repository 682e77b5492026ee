// Multiboot 2 with UEFI's boot services still alive: header tags 7 and 9, specification 2.0,
// section 3.1.
#pragma once

#include "lib/types.h"

// Leaves boot services, as the firmware's timer must not disturb the measurement, and writes to
// `copy` the Multiboot information at `info` with the memory map as it was then, in a tag of
// type 17. Returns `copy`, or `info` as it was: boot services were not alive, or cannot be left, or
// the information or the map is broken or does not fit in `room` bytes. On the firmware's page
// tables, and any stack.
const uint8_t *efi_leave(const uint8_t *info, uint8_t *copy, size_t room);
