"""The EFI program as a file: the PE header that firmware will read, and the relocations that crt0 will.

Each check is a function of the file's bytes; the second test shows for each that it fails on a broken copy.
Offsets are those of Microsoft's PE Format specification.
"""

import os
import struct
import subprocess
import time
from pathlib import Path
from typing import Callable

import pytest

ROOT = Path(__file__).parents[2]
IMAGE = ROOT / "build" / "hypertick.efi"
ELF = ROOT / "build" / "hypertick.efi.debug"

AMD64 = 0x8664
EXECUTABLE, RELOCS_STRIPPED, DLL = 0x0002, 0x0001, 0x2000
PE32_PLUS = 0x20B
EFI_APPLICATION = 10
PAGE = 4096
CODE, BSS = 0x20, 0x80
EXECUTE, READ, WRITE = 1 << 29, 1 << 30, 1 << 31
RELOC_DIRECTORY = 5
R_X86_64_RELATIVE = 8
SHT_RELA = 4


def pe_offset(data: bytes) -> int:
    assert data[:2] == b"MZ"
    offset, = struct.unpack_from("<I", data, 0x3C)
    assert data[offset:offset + 4] == b"PE\0\0"
    return offset


def optional_offset(data: bytes) -> int:
    return pe_offset(data) + 24


def section_offset(data: bytes, index: int = 0) -> int:
    size, = struct.unpack_from("<H", data, pe_offset(data) + 20)
    return optional_offset(data) + size + index * 40


def sections(data: bytes) -> list[dict[str, int]]:
    count, = struct.unpack_from("<H", data, pe_offset(data) + 6)
    names = ("size", "address", "raw_size", "raw", "flags")
    found = []
    for index in range(count):
        fields = struct.unpack_from("<8sIIIIIIHHI", data, section_offset(data, index))
        found.append(dict(zip(names, (*fields[1:5], fields[9])), name=fields[0].rstrip(b"\0")))
    return found


def check_header(data: bytes) -> None:
    """A relocatable EFI application for x86-64, with nothing that changes from build to build."""
    machine, _, stamp, symbols, _, _, flags = struct.unpack_from("<HHIIIHH", data,
                                                                 pe_offset(data) + 4)
    assert machine == AMD64
    assert stamp == 0, "the time of the build"
    assert symbols == 0
    assert flags & (EXECUTABLE | RELOCS_STRIPPED | DLL) == EXECUTABLE
    optional = optional_offset(data)
    assert struct.unpack_from("<H", data, optional)[0] == PE32_PLUS
    assert struct.unpack_from("<II", data, optional + 32) == (PAGE, 512), "alignments"
    assert struct.unpack_from("<H", data, optional + 68)[0] == EFI_APPLICATION


def check_sections(data: bytes) -> None:
    """On pages of their own, in the file, in order; nothing both writable and executable."""
    optional = optional_offset(data)
    image_size, header_size = struct.unpack_from("<II", data, optional + 56)
    assert section_offset(data, len(sections(data))) <= header_size <= PAGE
    end = header_size
    for section in sections(data):
        assert section["address"] % PAGE == 0 and section["address"] >= end
        end = section["address"] + section["size"]
        assert section["raw"] + section["raw_size"] <= len(data)
        assert section["flags"] & READ
        assert section["flags"] & (EXECUTE | WRITE) != EXECUTE | WRITE
    assert end <= image_size < end + PAGE
    entry, = struct.unpack_from("<I", data, optional + 16)
    text, = (s for s in sections(data) if s["flags"] & EXECUTE)
    assert text["flags"] & CODE
    assert text["address"] <= entry < text["address"] + text["size"]
    bss, = (s for s in sections(data) if s["flags"] & BSS)
    assert bss["raw_size"] == 0, "zeros in the file"


def check_relocation_block(data: bytes) -> None:
    """One block, whose page lies in the image and whose entries do nothing: crt0 relocates."""
    optional = optional_offset(data)
    address, size = struct.unpack_from("<II", data, optional + 112 + RELOC_DIRECTORY * 8)
    section, = (s for s in sections(data) if s["address"] == address)
    assert 8 < size <= section["size"]
    page, block = struct.unpack_from("<II", data, section["raw"])
    assert page < struct.unpack_from("<I", data, optional + 56)[0], "firmware refuses it"
    assert block == size and block % 4 == 0, "firmware would look for another block"
    kinds = struct.unpack_from(f"<{(block - 8) // 2}H", data, section["raw"] + 8)
    assert not any(kinds)


def pe_sum(data: bytes) -> int:
    """The checksum, with the field for it taken as zero."""
    field = optional_offset(data) + 64
    copy = data[:field] + bytes(4) + data[field + 4:] + bytes(len(data) % 2)
    total = sum(struct.unpack(f"<{len(copy) // 2}H", copy))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total + len(data)


def check_sum(data: bytes) -> None:
    assert struct.unpack_from("<I", data, optional_offset(data) + 64)[0] == pe_sum(data)


def with_value(form: str, offset_of: Callable[[bytes], int], value: int) -> Callable[[bytes], bytes]:
    """A breaker that overwrites a number."""
    def broken(data: bytes) -> bytes:
        copy = bytearray(data)
        struct.pack_into("<" + form, copy, offset_of(data), value)
        return bytes(copy)
    return broken


def at_pe(offset: int) -> Callable[[bytes], int]:
    return lambda data: pe_offset(data) + offset


def at_optional(offset: int) -> Callable[[bytes], int]:
    return lambda data: optional_offset(data) + offset


def at_section(name: bytes, offset: int) -> Callable[[bytes], int]:
    def found(data: bytes) -> int:
        index = [s["name"] for s in sections(data)].index(name)
        return section_offset(data, index) + offset
    return found


def in_block(offset: int) -> Callable[[bytes], int]:
    return lambda data: next(s["raw"] for s in sections(data) if s["name"] == b".reloc") + offset


CHECKS = [check_header, check_sections, check_relocation_block, check_sum]
BREAKERS: list[tuple[Callable[[bytes], None], Callable[[bytes], bytes]]] = [
    (check_header, lambda data: b"ZM" + data[2:]),
    (check_header, with_value("I", lambda data: 0x3C, 0x40)),
    (check_header, with_value("H", at_pe(4), 0x14C)),
    (check_header, with_value("I", at_pe(8), int(time.time()))),
    (check_header, with_value("H", at_pe(22), 0x020F)),
    (check_header, with_value("H", at_optional(0), 0x10B)),
    (check_header, with_value("I", at_optional(32), 16)),
    (check_header, with_value("H", at_optional(68), 11)),
    (check_sections, with_value("I", at_optional(16), 0)),
    (check_sections, with_value("I", at_optional(56), PAGE)),
    (check_sections, with_value("I", at_optional(60), 64)),
    (check_sections, with_value("I", at_section(b".data", 12), 0x1000)),
    (check_sections, with_value("I", at_section(b".data", 12), 0x123456)),
    (check_sections, with_value("I", at_section(b".data", 20), 1 << 30)),
    (check_sections, with_value("I", at_section(b".text", 36), 0xE0000020)),
    (check_sections, with_value("I", at_section(b".data", 36), 0xE0000040)),
    (check_sections, with_value("I", at_section(b".bss", 16), 512)),
    (check_relocation_block, with_value("I", at_optional(112 + 40), 0)),
    (check_relocation_block, with_value("I", at_optional(112 + 44), 14)),
    (check_relocation_block, with_value("I", in_block(0), 0xFFFFC000)),
    (check_relocation_block, with_value("I", in_block(4), 10)),
    (check_relocation_block, with_value("H", in_block(8), 10 << 12)),
    (check_sum, lambda data: data[:-1] + bytes([data[-1] ^ 1])),
    (check_sum, with_value("I", at_optional(64), 0)),
]  # fmt: skip


# --- Before it was a PE file: what is left for crt0 to relocate.


def elf_sections(data: bytes) -> list[tuple[int, ...]]:
    offset, = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    return [struct.unpack_from("<IIQQQQIIQQ", data, offset + i * size) for i in range(count)]


def relocations(data: bytes) -> list[tuple[int, int, int, int]]:
    """Where each is in the file, its place, its type and its addend."""
    found = []
    for _, kind, _, _, offset, size, *_ in elf_sections(data):
        for at in range(offset, offset + size, 24) if kind == SHT_RELA else ():
            place, info, addend = struct.unpack_from("<QQq", data, at)
            found.append((at, place, info, addend))
    return found


def check_relocations(data: bytes) -> None:
    """All are relative, in writable memory, and hold the addend, to which crt0 adds the base."""
    assert relocations(data)
    for _, place, info, addend in relocations(data):
        assert info == R_X86_64_RELATIVE
        section, = (s for s in elf_sections(data) if s[2] & 2 and s[3] <= place < s[3] + s[5])
        assert section[2] & 1, "in read-only memory"
        assert struct.unpack_from("<q", data, section[4] + place - section[3])[0] == addend


ELF_BREAKERS = [
    with_value("Q", lambda data: relocations(data)[0][0] + 8, 1),
    with_value("Q", lambda data: relocations(data)[0][0], 0x1000),
    with_value("q", lambda data: relocations(data)[0][0] + 16, 1),
]


@pytest.fixture(scope="module")
def image() -> bytes:
    assert IMAGE.exists(), f"{IMAGE} is not built: run `make efi`"
    return IMAGE.read_bytes()


@pytest.mark.parametrize("check", CHECKS)
def test_the_image(image: bytes, check: Callable[[bytes], None]) -> None:
    check(image)


@pytest.mark.parametrize("index", range(len(BREAKERS)))
def test_a_broken_copy_is_noticed(image: bytes, index: int) -> None:
    check, broken = BREAKERS[index]
    with pytest.raises((AssertionError, ValueError, struct.error)):
        check(broken(image))


def test_relocations() -> None:
    check_relocations(ELF.read_bytes())


@pytest.mark.parametrize("index", range(len(ELF_BREAKERS)))
def test_a_broken_relocation_is_noticed(index: int) -> None:
    with pytest.raises((AssertionError, ValueError)):
        check_relocations(ELF_BREAKERS[index](ELF.read_bytes()))


def test_two_builds_are_alike(image: bytes, tmp_path: Path) -> None:
    """At another time, in another folder."""
    environment = {key: value for key, value in os.environ.items()
                   if key not in ("SOURCE_DATE_EPOCH", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    subprocess.run(["make", "-C", ROOT, f"BUILD={tmp_path}/build", "-j2", "efi"], check=True,
                   stdout=subprocess.DEVNULL, env=environment)
    assert (tmp_path / "build" / "hypertick.efi").read_bytes() == image
