// DEFLATE (RFC 1951), decompression only: the kernel lies compressed in the image.
//
// Written for few instructions rather than few bytes of table, since some hypervisors emulate every
// instruction.
#pragma once

#include "lib/types.h"

// Bytes behind the compressed data that must be readable: it is read in words of this size. The
// trailer of a gzip file (RFC 1952, section 2.3.1) is as long.
#define UNPACK_SLACK 8

// Decompresses the `from_size` bytes at `from` to at most `to_size` bytes at `to`. Returns how many
// bytes were written, or 0: the data are malformed or cut off, or do not fit. `from[from_size]` and
// the UNPACK_SLACK - 1 bytes behind it are read, but have no influence. Not reentrant.
size_t unpack(const uint8_t *from, size_t from_size, uint8_t *to, size_t to_size);
