// AML, the byte code in ACPI's DSDT and SSDTs: only as much of it as it takes to find \_S5, the
// package that says what to write to switch the machine off. ACPI Specification 6.5, chapter 20 for
// the encoding, 7.4.2 for \_Sx.
#pragma once

#include "lib/types.h"

enum aml_s5 {
    AML_S5_ABSENT,
    AML_S5_FOUND,
    AML_S5_WRONG, // the name is there, but it is not a package of two sleep types
};

// Looks for \_S5 in the `length` bytes that follow a table's header, and gives SLP_TYPa and
// SLP_TYPb (0 to 7) where it is found. Only what is defined at the root counts: what belongs to
// devices, methods and other scopes is stepped over as a whole. Conditions are not evaluated. Any
// bytes are allowed: where they make no sense, the walk goes on one byte further.
enum aml_s5 aml_find_s5(const uint8_t *bytes, size_t length, uint8_t types[2]);
