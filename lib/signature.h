// The signatures that hypervisors put into CPUID: twelve bytes in EBX, ECX, EDX.
#pragma once

#include "lib/cpuid.h"

struct signature {
    char bytes[12];  // NULs and spaces included
    uint8_t compare; // how many of them are compared: 12, fewer where the rest is not established
    bool shared;     // an interface that other hypervisors show too: a second block says who runs
    const char *vendor; // as people name it: "KVM", "Hyper-V", "QEMU TCG"
    const char *note;   // what the name alone does not tell, or NULL
};

// The twelve bytes of a signature leaf in memory order EBX, ECX, EDX.
void signature_bytes(struct cpuid_words words, char out[12]);

// Characters of a signature that is printable ASCII from the first byte on, with nothing but NULs
// after it; else 0.
size_t signature_length(const char bytes[12]);

// The known signature with these bytes, or NULL.
const struct signature *signature_find(const char bytes[12]);

// Is `name` this vendor as people write it, or as options do, in lower case with dashes for spaces
// ("qemu-tcg")? Upper and lower case are the same, and so are dash and space.
bool signature_is_vendor(const struct signature *signature, const char *name);

// All of them. docs/scan.md lists the source of each.
extern const struct signature signature_table[];
extern const size_t signature_count;

#define SIGNATURE_ASCII_SIZE (12 * 4 + 1)
#define SIGNATURE_HEX_SIZE   (12 * 2 + 1)
// Printable text of the bytes: anything outside 0x20..0x7e as \xNN, trailing NULs dropped.
void signature_ascii(const char bytes[12], char out[SIGNATURE_ASCII_SIZE]);
// The bytes as 24 lower-case hex digits.
void signature_hex(const char bytes[12], char out[SIGNATURE_HEX_SIZE]);
