// Integer types that the whole project shares.
//
// The image is compiled freestanding, so only the headers that a freestanding C11 implementation
// must have are used.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 uint128;
__extension__ typedef __int128 int128;

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

// Frequencies are in millihertz everywhere.
#define MILLIHERTZ_PER_HZ  1000u
#define MILLIHERTZ_PER_KHZ 1000000u
#define MILLIHERTZ_PER_MHZ 1000000000u
#define MILLIHERTZ_PER_GHZ 1000000000000u

// Of memory, as page tables and hypervisors count it.
#define PAGE_SIZE 4096u
