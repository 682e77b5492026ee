#!/usr/bin/python3
"""Writes the seeds of fuzz_boot.c: what honest loaders leave in memory, and what lying ones could.

    tests/fuzz/boot_seeds.py tests/fuzz/corpus/boot
"""

import sys
from pathlib import Path
from struct import pack

BASE = 0x1000  # of the memory: fuzz_boot.c
MULTIBOOT1, MULTIBOOT2, PVH, LINUX = range(4)
RAM = 1

HONEST = [(0, 0x9FC00, RAM), (0x100000, 0x7F00000, RAM), (0xFEFFC000, 0x4000, 2)]
LYING = [(2**64 - 10, 100, RAM), (0x100000, 0x7F00000, RAM), (0x200000, 0x100, 2),
         (2**52, 2**60, RAM), (0, 2**64 - 1, 3), (0, 0, RAM)]  # fmt: skip
MANY = [(n << 12, 0x1000, RAM) for n in range(140)]


def at(offset):
    return BASE + offset


def seed(door, memory, flags=0):
    return bytes([door | flags, 0]) + memory


def multiboot1(regions, text=b"hypertick window=1s\0"):
    entries = b"".join(pack("<IQQI", 20, *region) for region in regions)
    head = pack("<17I", 1 << 2 | 1 << 6 | 1 << 9, 640, 65536, 0, at(68), 0, 0, 0, 0, 0, 0,
                len(entries), at(68 + len(text)), 0, 0, 0, at(68))  # fmt: skip
    return seed(MULTIBOOT1, head + text + entries)


def tag(kind, body, size=None):
    whole = pack("<II", kind, 8 + len(body) if size is None else size) + body
    return whole + bytes(-len(whole) % 8)


def framebuffer(address, pitch=4096, width=1024, height=768):
    return tag(8, pack("<QIIIBBH6B", address, pitch, width, height, 32, 1, 0, 16, 8, 8, 8, 0, 8))


def memory_map(regions, entry_size=24):
    return tag(6, pack("<II", entry_size, 0)
               + b"".join(pack("<QQII", *region, 0) for region in regions))  # fmt: skip


def multiboot2(*tags, total=None, end=True):
    body = b"".join(tags) + (tag(0, b"") if end else b"")
    return seed(MULTIBOOT2, pack("<II", 8 + len(body) if total is None else total, 0) + body)


def pvh(regions, rsdp=0, version=1, count=None, text=b"window=1s\0"):
    entries = b"".join(pack("<QQII", *region, 0) for region in regions)
    count = len(regions) if count is None else count
    head = pack("<IIIIQQQQII", 0x336EC578, version, 0, 0, 0, at(56 + len(entries)), rsdp, at(56),
                count, 0)  # fmt: skip
    return seed(PVH, head + entries + text, 0xF0)


def linux(regions, count=None, text=b"window=1s\0", high=0, screen=0, rsdp=0, setup=b""):
    params = bytearray(4096)
    params[15] = screen
    params[0x18:0x1C] = pack("<I", 0xFD000000)
    params[0x70:0x78] = pack("<Q", rsdp)
    params[0xC8:0xCC] = pack("<I", high)
    params[0x1E0:0x1E4] = pack("<I", 65536)
    params[0x1E8] = len(regions) if count is None else count
    params[0x228:0x22C] = pack("<I", at(4096))
    params[0x250:0x258] = pack("<Q", at(4096 + len(text)) if setup else 0)
    table = b"".join(pack("<QQI", *region) for region in regions)[: 128 * 20]
    params[0x2D0 : 0x2D0 + len(table)] = table
    return seed(LINUX, bytes(params) + text + setup, 0x70)


def setup_data(following, kind, body):
    return pack("<QII", following, kind, len(body)) + body


JAILHOUSE = pack("<HHHHQII", 2, 1, 0x608, 1, 0, 2596130, 1000000) + bytes(260)


SMBIOS3 = bytes.fromhex("4415fdf297942c4a992ee5bbcf20e394")


def system_table(address, count=1):
    """EFI's, with one configuration table behind it, for this address in memory."""
    return bytes(104) + pack("<QQ", count, address + 120) + SMBIOS3 + pack("<Q", 0xF1000)


def rsdp(address):
    """An ACPI RSDP, of revision 0, that names an RSDT there."""
    table = bytearray(b"RSD PTR \0HYPTCK\0" + pack("<I", address))
    table[8] = -sum(table) % 256
    return bytes(table)


SEEDS = {
    "multiboot1": multiboot1(HONEST),
    "multiboot1-lies": multiboot1(LYING),
    "multiboot1-many": multiboot1(MANY),
    "multiboot1-no-end": multiboot1(HONEST[:1], b"a" * 2100),
    "multiboot2": multiboot2(tag(1, b"window=1s\0"), tag(2, b"GRUB\0"), tag(4, pack("<II", 640, 65536)),
                             memory_map(HONEST), framebuffer(0xFD000000), tag(14, rsdp(0x1000)),
                             tag(15, rsdp(0x1000) + bytes(16))),
    "multiboot2-lies": multiboot2(memory_map(LYING), framebuffer(2**63, 2**32 - 1, 2**31, 2**32 - 1)),
    "multiboot2-many": multiboot2(memory_map(MANY)),
    "multiboot2-short-entries": multiboot2(memory_map(HONEST, 8)),
    "multiboot2-no-end": multiboot2(tag(1, b"window"), end=False, total=2**32 - 1),
    "multiboot2-cut": multiboot2(tag(1, b"window=1s\0", size=4)),
    "multiboot2-long-tag": multiboot2(tag(1, b"window=1s\0", size=2**32 - 4), total=2**32 - 1),
    "multiboot2-efi": multiboot2(
        tag(12, pack("<Q", 0x7F000000)), tag(18, b""),
        tag(17, pack("<II", 48, 1) + pack("<IIQQQQQ", 7, 0, 0x100000, 0, 2**52, 15, 0) * 3)),
    # The information takes 32 bytes.
    "multiboot2-efi-tables": multiboot2(tag(12, pack("<Q", at(32)))) + system_table(at(32)),
    "multiboot2-efi-tables-many":
        multiboot2(tag(12, pack("<Q", at(32)))) + system_table(at(32), 1024),
    "pvh": pvh(HONEST, 0xF5A10),
    "pvh-lies": pvh(LYING, 2**64 - 4),
    "pvh-many": pvh(MANY),
    "pvh-no-end": pvh(HONEST, count=2**32 - 1, text=b"window"),
    "pvh-0": pvh(HONEST, version=0),
    "linux": linux(HONEST, screen=0x70),
    "linux-lies": linux(LYING, rsdp=2**63),
    "linux-many": linux(MANY, count=255),
    "linux-high-text": linux(HONEST, high=1),
    "linux-no-map": linux([]),
    "linux-jailhouse": linux(HONEST, text=b"a\0", setup=setup_data(
        at(4096 + 2 + 20), 9, b"seed") + setup_data(0, 6, JAILHOUSE)),
    "linux-setup-loop": linux(HONEST, text=b"a\0", setup=setup_data(at(4098), 6, JAILHOUSE[:20])),
    "linux-no-end": linux(HONEST, text=b"window", screen=0x23),
}  # fmt: skip


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in SEEDS.items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
