"""As much of an ELF64 file as the bench asks for."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

PT_LOAD = 1
PF_X = 1
MULTIBOOT_MAGIC = b"\x02\xb0\xad\x1b"


@dataclass
class Segment:
    """A part of the file that is loaded."""

    address: int
    memory_bytes: int
    executable: bool
    data: bytes


@dataclass
class Elf:
    entry: int
    file_bytes: int
    segments: list[Segment]

    @property
    def memory_bytes(self) -> int:
        """From the lowest address to the highest."""
        return max(part.address + part.memory_bytes for part in self.segments) - min(
            part.address for part in self.segments
        )


def multiboot_entry(path: Path) -> int:
    """entry_addr of the Multiboot 1 header: Multiboot Specification 0.6.96, section 3.1."""
    file = path.read_bytes()
    at = file.find(MULTIBOOT_MAGIC, 0, 8192)
    if at < 0:
        raise ValueError(f"{path}: no Multiboot header")
    return struct.unpack_from("<I", file, at + 28)[0]


def read(path: Path) -> Elf:
    """ELF-64 Object File Format 1.5: the file header (figure 2), the program headers (figure 6)."""
    file = path.read_bytes()
    if file[:5] != b"\x7fELF\x02":
        raise ValueError(f"{path}: not an ELF64 file")
    entry, table = struct.unpack_from("<QQ", file, 24)
    entry_bytes, entries = struct.unpack_from("<HH", file, 54)
    segments = []
    for index in range(entries):
        kind, flags, offset, address, _, size, memory, _ = struct.unpack_from(
            "<IIQQQQQQ", file, table + index * entry_bytes
        )
        if kind == PT_LOAD:
            segments.append(
                Segment(address, memory, bool(flags & PF_X), file[offset : offset + size])
            )
    return Elf(entry, len(file), segments)
