#!/usr/bin/python3
"""Writes seeds of fuzz_acpi.c: tables as firmware has them, by each way that leads to them.

    tests/fuzz/acpi_seeds.py tests/fuzz/corpus/acpi
"""

import sys
from pathlib import Path
from struct import pack

# fuzz_acpi.c: the bits of the last byte.
NEW_RSDP, NAMED, MANY, LONG_RSDP, NO_RSDT = 1, 2, 4, 8, 16
HEADER = 36

S5 = bytes.fromhex("085f53355f1206040a050a050000")  # Name (_S5, Package () {5, 5, 0, 0})
MADT = pack("<II", 0xFEE00000, 1) + bytes.fromhex(
    "0008000001000000" "0008010101000000" "09100000020000000100000002000000"
)
HPET = pack("<IIQBHB", 0x8086A201, 0, 0xFED00000, 0, 0, 0)


def fadt():
    table = bytearray(276 - HEADER)
    table[64 - HEADER : 68 - HEADER] = pack("<I", 0x604)  # PM1a control block
    table[76 - HEADER : 80 - HEADER] = pack("<I", 0x608)  # PM timer block
    table[91 - HEADER] = 4
    table[268 - HEADER :] = b"MsHyperV"
    return bytes(table)


def seed(flags, dsdt=S5, ssdt=b""):
    contents = [dsdt, MADT, HPET, fadt(), pack("<I", 2), ssdt]
    memory = bytearray(2 * len(contents))
    places = []
    for content in contents:
        places.append(len(memory))
        memory += bytes(HEADER) + content
    memory.append(flags)
    for i, (place, content) in enumerate(zip(places, contents)):
        memory[2 * i : 2 * i + 2] = pack("<H", place)
        memory[place + 4 : place + 8] = pack("<I", len(content))
    return bytes(memory)


SEEDS = {
    "rsdt": seed(0),
    "xsdt": seed(NEW_RSDP),
    "named-many": seed(NEW_RSDP | NAMED | MANY),
    "wrong-length": seed(NEW_RSDP | LONG_RSDP),
    "no-root": seed(NO_RSDT),
    "s5-cut": seed(NEW_RSDP, S5[:7]),
    "s5-in-ssdt": seed(NEW_RSDP, b"\x08ABCD\x00", S5),
}


def main():
    for name, content in SEEDS.items():
        (Path(sys.argv[1]) / name).write_bytes(content)


if __name__ == "__main__":
    main()
