"""The image file itself, parsed back: what loaders will look for is where they look for it.

Each check is a function of the file's bytes; the second test of each shows that it fails on a broken copy.
"""
import struct
from pathlib import Path
from typing import Callable

import pytest

IMAGE = Path(__file__).parents[2] / "build" / "hypertick.elf"

MULTIBOOT_MAGIC = 0x1BADB002
MULTIBOOT_SEARCH = 8192
ADDRESS_FIELDS = 1 << 16
MULTIBOOT2_MAGIC = 0xE85250D6
MULTIBOOT2_SEARCH = 32768
TAG_ENTRY = 3
TAG_KEEP_BOOT_SERVICES = 7
TAG_EFI64_ENTRY = 9
LINUX64_ENTRY = 0x200
PT_LOAD, PT_NOTE = 1, 4
PF_X, PF_W = 1, 2
PHYS32_ENTRY = 18
# The core of issue 2 alone takes 45 KiB; see docs/boot.md, "Size".
SIZE_MAX = 104448


def program_headers(data: bytes) -> list[dict[str, int]]:
    """The program headers of an ELF64 file."""
    assert data[:6] == b"\x7fELF\x02\x01", "not a little-endian ELF64"
    offset, = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    assert size == 56
    names = ("type", "flags", "offset", "vaddr", "paddr", "filesz", "memsz", "align")
    return [dict(zip(names, struct.unpack_from("<IIQQQQQQ", data, offset + i * size)))
            for i in range(count)]


def loads(data: bytes) -> list[dict[str, int]]:
    return [header for header in program_headers(data) if header["type"] == PT_LOAD]


def multiboot_offset(data: bytes) -> int:
    for offset in range(0, min(len(data), MULTIBOOT_SEARCH) - 31, 4):
        if struct.unpack_from("<I", data, offset)[0] == MULTIBOOT_MAGIC:
            return offset
    raise AssertionError("no Multiboot magic in the first 8 KiB")


def check_multiboot(data: bytes) -> None:
    """Magic, checksum, and address fields that agree with the program headers."""
    offset = multiboot_offset(data)
    magic, flags, checksum, header, load, load_end, bss_end, entry = struct.unpack_from(
        "<8I", data, offset)
    assert (magic + flags + checksum) % 2**32 == 0, "checksum"
    assert flags & ADDRESS_FIELDS, "QEMU takes an ELF64 only with address fields"
    first, *_, last = loads(data)
    filled = [segment for segment in loads(data) if segment["filesz"]][-1]
    assert load == first["paddr"] and load <= header
    assert offset - (header - load) == first["offset"], "the load address is not where the file says"
    assert load_end - load == filled["offset"] + filled["filesz"], "the end of the data"
    assert bss_end == last["paddr"] + last["memsz"], "the end of bss"
    assert entry == multiboot2_tags(data)[TAG_ENTRY][0], "Multiboot 2 enters elsewhere"
    for segment in loads(data):
        if segment["filesz"]:
            assert segment["paddr"] - load == segment["offset"], "file and memory do not run in step"


def multiboot2_offset(data: bytes) -> int:
    for offset in range(0, min(len(data), MULTIBOOT2_SEARCH) - 15, 8):
        if struct.unpack_from("<I", data, offset)[0] == MULTIBOOT2_MAGIC:
            return offset
    raise AssertionError("no Multiboot 2 magic in the first 32 KiB")


def multiboot2_tags(data: bytes) -> dict[int, tuple[int, ...]]:
    """The words behind each tag's head. Multiboot 2 specification, section 3.1.3."""
    offset = multiboot2_offset(data)
    end = offset + struct.unpack_from("<I", data, offset + 8)[0]
    offset += 16
    tags = {}
    while offset < end:
        kind, _, size = struct.unpack_from("<HHI", data, offset)
        assert size >= 8 and size % 4 == 0 and offset + size <= end, "a tag's size"
        tags[kind] = struct.unpack_from(f"<{size // 4 - 2}I", data, offset + 8)
        if kind == 0:
            assert size == 8 and offset + size == end, "tags behind the end tag"
        offset += (size + 7) & ~7
    assert 0 in tags, "no end tag"
    return tags


def check_multiboot2(data: bytes) -> None:
    """Magic, architecture, checksum, and tags that end where the length says."""
    offset = multiboot2_offset(data)
    words = struct.unpack_from("<4I", data, offset)
    assert words[1] == 0, "not for i386, protected mode"
    assert sum(words) % 2**32 == 0, "checksum"
    tags = multiboot2_tags(data)
    assert {TAG_ENTRY, TAG_KEEP_BOOT_SERVICES, TAG_EFI64_ENTRY} <= tags.keys(), "a tag is missing"
    first = loads(data)[0]
    entries = [tags[TAG_ENTRY], tags[TAG_EFI64_ENTRY]]
    assert entries[0] != entries[1]
    for entry in entries:
        assert len(entry) == 1, "an entry tag's size"
        assert first["paddr"] <= entry[0] < first["paddr"] + first["filesz"]


def check_linux64(data: bytes) -> None:
    """The Linux 64-bit entry: 0x200 bytes behind where the image is loaded, and the ELF's own."""
    assert struct.unpack_from("<Q", data, 24)[0] == loads(data)[0]["paddr"] + LINUX64_ENTRY
    assert data[0x202:0x206] != b"HdrS", "QEMU would take it for a bzImage"


def check_note(data: bytes) -> None:
    """The PVH note: XEN_ELFNOTE_PHYS32_ENTRY with the 32-bit entry."""
    note, = (header for header in program_headers(data) if header["type"] == PT_NOTE)
    assert note["align"] == 4
    name_size, desc_size, kind = struct.unpack_from("<3I", data, note["offset"])
    name = data[note["offset"] + 12:note["offset"] + 12 + name_size]
    assert (name, kind, desc_size) == (b"Xen\0", PHYS32_ENTRY, 8)
    entry, = struct.unpack_from("<Q", data, note["offset"] + 16)
    assert entry == multiboot2_tags(data)[TAG_ENTRY][0]


def check_segments(data: bytes) -> None:
    """Within 1 to 6 MiB; nothing both writable and executable."""
    for segment in loads(data):
        assert 0x100000 <= segment["paddr"] == segment["vaddr"]
        assert segment["paddr"] + segment["memsz"] <= 0x600000
        assert segment["flags"] & (PF_W | PF_X) != PF_W | PF_X


def check_size(data: bytes) -> None:
    assert len(data) <= SIZE_MAX


def with_word(offset_of: Callable[[bytes], int], value: int) -> Callable[[bytes], bytes]:
    """A breaker that overwrites 32 bits."""
    def broken(data: bytes) -> bytes:
        copy = bytearray(data)
        struct.pack_into("<I", copy, offset_of(data), value)
        return bytes(copy)
    return broken


def note_offset(data: bytes) -> int:
    return next(h["offset"] for h in program_headers(data) if h["type"] == PT_NOTE)


def tag_offset(data: bytes, kind: int) -> int:
    """Where a header tag that is optional is."""
    return data.index(struct.pack("<HH", kind, 1), multiboot2_offset(data))


def header_offset(data: bytes, kind: int) -> int:
    index = next(i for i, h in enumerate(program_headers(data)) if h["type"] == kind)
    return struct.unpack_from("<Q", data, 32)[0] + index * 56


BREAKERS: list[tuple[Callable[[bytes], None], Callable[[bytes], bytes]]] = [
    (check_multiboot, with_word(multiboot_offset, 0)),
    (check_multiboot, with_word(lambda d: multiboot_offset(d) + 8, 1)),
    (check_multiboot, with_word(lambda d: multiboot_offset(d) + 4, 2)),
    (check_multiboot, with_word(lambda d: multiboot_offset(d) + 16, 0x101000)),
    (check_multiboot, with_word(lambda d: multiboot_offset(d) + 20, 0x101000)),
    (check_multiboot, with_word(lambda d: multiboot_offset(d) + 24, 0x101000)),
    (check_multiboot, with_word(lambda d: multiboot_offset(d) + 28, 0x100000)),
    (check_multiboot, lambda data: bytes(MULTIBOOT_SEARCH) + data),
    (check_multiboot2, with_word(multiboot2_offset, 0)),
    (check_multiboot2, with_word(lambda d: multiboot2_offset(d) + 4, 4)),
    (check_multiboot2, with_word(lambda d: multiboot2_offset(d) + 12, 0)),
    (check_multiboot2, with_word(lambda d: multiboot2_offset(d) + 20, 16)),
    (check_multiboot2, with_word(lambda d: multiboot2_offset(d) + 24, 0)),
    (check_multiboot2, with_word(lambda d: tag_offset(d, TAG_EFI64_ENTRY) + 8, 0)),
    (check_multiboot2, with_word(lambda d: tag_offset(d, TAG_EFI64_ENTRY), 0x10063)),
    (check_multiboot2, with_word(lambda d: tag_offset(d, TAG_KEEP_BOOT_SERVICES), 0x10063)),
    (check_multiboot2, lambda data: bytes(MULTIBOOT2_SEARCH) + data),
    (check_linux64, with_word(lambda d: 24, 0x100000)),
    (check_linux64, with_word(lambda d: 0x202, int.from_bytes(b"HdrS", "little"))),
    (check_note, with_word(lambda d: header_offset(d, PT_NOTE) + 48, 8)),
    (check_note, with_word(note_offset, 3)),
    (check_note, with_word(lambda d: note_offset(d) + 8, 17)),
    (check_note, with_word(lambda d: note_offset(d) + 12, int.from_bytes(b"Xen ", "little"))),
    (check_note, with_word(lambda d: note_offset(d) + 16, 0)),
    (check_segments, with_word(lambda d: header_offset(d, PT_LOAD) + 4, 7)),
    (check_segments, with_word(lambda d: header_offset(d, PT_LOAD) + 40, 0x600000)),
    (check_size, lambda data: data + bytes(SIZE_MAX)),
]


@pytest.fixture(scope="module")
def image() -> bytes:
    return IMAGE.read_bytes()


@pytest.mark.parametrize("check", [check_multiboot, check_multiboot2, check_linux64, check_note,
                                   check_segments, check_size])
def test_the_image(image: bytes, check: Callable[[bytes], None]) -> None:
    check(image)


@pytest.mark.parametrize("index", range(len(BREAKERS)))
def test_a_broken_copy_is_noticed(image: bytes, index: int) -> None:
    check, broken = BREAKERS[index]
    with pytest.raises((AssertionError, struct.error)):
        check(broken(image))
