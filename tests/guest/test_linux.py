"""The Linux boot protocol: the bzImage, parsed back and booted, and the 64-bit entry of both images.

The 32-bit entry is GRUB's, in test_images.py.
"""

import functools
import os
import struct
import subprocess
from typing import Callable

import pytest

import screen
from qemu import IMAGE, PASS, ROOT, boot, hypertick_qemu
from records import check_same

BZIMAGE = ROOT / "build/hypertick.bzImage"
LOADER = ROOT / "tests/guest/linux64_loader.asm"
REAL_LOADER = ROOT / "tests/guest/linux16_loader.asm"
SHORT = "window=50ms"

LOAD_ADDRESS = 0x100000
SECTOR = 512
HEADER = 0x1F1


def field(data: bytes, offset: int, kind: str) -> int:
    return struct.unpack_from("<" + kind, data, offset)[0]


def payload(data: bytes) -> bytes:
    """What is loaded at 1 MiB: all behind the setup sectors."""
    return data[(field(data, 0x1F1, "B") + 1) * SECTOR :]


def memory_end(elf: bytes) -> int:
    """The end of what the ELF takes, from its program headers."""
    offset, count = field(elf, 32, "Q"), field(elf, 56, "H")
    return max(field(elf, at + 24, "Q") + field(elf, at + 40, "Q")
               for at in range(offset, offset + count * 56, 56))  # fmt: skip


def check_magics(data: bytes) -> None:
    assert field(data, 0x1FE, "H") == 0xAA55
    assert data[0x202:0x206] == b"HdrS"
    assert 0x020C <= field(data, 0x206, "H") < 0x0300, "the version"
    assert data[0x200] == 0xEB, "a short jump over the header"
    assert 0x202 + data[0x201] >= 0x268, "the header ends too early for its version"


def check_sizes(data: bytes) -> None:
    assert 1 <= field(data, 0x1F1, "B") <= 63, "the setup code has at most 32 KiB"
    assert field(data, 0x1F4, "I") * 16 == len(payload(data)), "syssize"
    assert field(data, 0x260, "I") == memory_end(IMAGE.read_bytes()) - LOAD_ADDRESS, "init_size"
    assert field(data, 0x238, "I") == 2047, "cmdline_size"


def check_placement(data: bytes) -> None:
    assert field(data, 0x211, "B") == 1, "LOADED_HIGH, and nothing else"
    assert field(data, 0x236, "H") == 1, "KERNEL_64, and nothing else"
    assert field(data, 0x214, "I") == field(data, 0x258, "Q") == LOAD_ADDRESS
    assert field(data, 0x234, "B") == 0, "it cannot be relocated"
    assert field(data, 0x230, "I") == 1 << field(data, 0x235, "B") == 1 << 20, "alignment"
    assert field(data, 0x264, "I") == 0, "an EFI handover entry that there is not"


def check_name(data: bytes) -> None:
    at = field(data, 0x20E, "H") + SECTOR
    assert data[at : data.index(b"\0", at)].startswith(b"hypertick ")


def check_payload(data: bytes) -> None:
    """The ELF file, but for a jump in the place of its magic."""
    elf, loaded = IMAGE.read_bytes(), payload(data)
    assert loaded[5 : len(elf)] == elf[5:]
    assert not any(loaded[len(elf) :]) and len(loaded) - len(elf) < 16
    assert loaded[0] == 0xE9
    target = 5 + field(loaded, 1, "i")
    assert 0x200 < target < len(elf)


def broken(offset: int, *values: int) -> Callable[[bytes], bytes]:
    """A breaker that overwrites bytes."""
    return lambda data: data[:offset] + bytes(values) + data[offset + len(values) :]


BREAKERS = [
    (check_magics, broken(0x1FE, 0x55, 0x55)),
    (check_magics, broken(0x202, ord("h"))),
    (check_magics, broken(0x206, 0x0B)),
    (check_magics, broken(0x200, 0xE9)),
    (check_magics, broken(0x201, 0x40)),
    (check_sizes, broken(0x1F1, 0)),
    (check_sizes, broken(0x1F1, 3)),
    (check_sizes, broken(0x1F4, 1, 0, 0, 0)),
    (check_sizes, lambda data: data + bytes(16)),
    (check_sizes, broken(0x260, 0, 0, 0, 0)),
    (check_sizes, broken(0x238, 0xFF, 0, 0, 0)),
    (check_placement, broken(0x211, 0)),
    (check_placement, broken(0x236, 0)),
    (check_placement, broken(0x236, 3)),
    (check_placement, broken(0x214, 1)),
    (check_placement, broken(0x25A, 0x20)),
    (check_placement, broken(0x234, 1)),
    (check_placement, broken(0x235, 21)),
    (check_placement, broken(0x264, 0x10)),
    (check_name, broken(0x20E, 0, 0)),
    (check_payload, lambda data: data[:-64] + bytes(64)),
    (check_payload, broken(0x1F1, 3)),
]


@pytest.fixture(scope="module")
def bzimage() -> bytes:
    return BZIMAGE.read_bytes()


@pytest.mark.parametrize(
    "check", [check_magics, check_sizes, check_placement, check_name, check_payload]
)
def test_the_header(bzimage, check):
    check(bzimage)


@pytest.mark.parametrize("index", range(len(BREAKERS)))
def test_a_broken_copy_is_noticed(bzimage, index):
    check, breaker = BREAKERS[index]
    with pytest.raises((AssertionError, struct.error)):
        check(breaker(bzimage))


@pytest.mark.parametrize("machine, live", [
    ("pc", {"pit", "hpet", "pmtimer", "lapic"}),
    ("q35", {"pit", "hpet", "pmtimer", "lapic"}),
    ("microvm", {"pit", "lapic"}),
])  # fmt: skip
def test_by_the_setup_code(machine, live):
    options = f"{SHORT} expect=boot:linux16 BOOT_IMAGE=/boot/hypertick"
    run = boot(image=BZIMAGE, door="linux16", machine=machine, options=options)
    assert run.status == PASS
    assert run.records.start["options"] == options
    assert 120 <= run.records.start["memory_mib"] <= 128
    status = {clock["clock"]: clock["status"] for clock in run.records.records("clock")}
    assert {name for name in status if status[name] in ("live", "coarse")} == live
    assert run.records.measurement("all")["estimate_hz"] > 0
    assert not run.notes("warning") and not run.notes("error")


def without(bzimage, *instructions):
    """A copy whose setup code has other instructions in the place of these."""
    for old, new in instructions:
        assert bzimage.count(old, 0, len(bzimage) - len(payload(bzimage))) == 1
        bzimage = bzimage.replace(old, new, 1)
    return bzimage


# How the setup code asks for the memory map: by the second call where there is no first, and so on.
E820 = bytes.fromhex("66b820e80000")  # mov eax, 0xe820
E801 = bytes.fromhex("b801e8")  # mov ax, 0xe801


@pytest.mark.parametrize("calls", [(E820,), (E820, E801)], ids=["e801", "88"])
def test_the_memory_map_of_old_bioses(tmp_path, bzimage, calls):
    """A copy that asks for functions which no BIOS has. E801h and 88h say nothing below 1 MiB."""
    image = tmp_path / "bzImage"
    image.write_bytes(without(bzimage, *((call, call.replace(b"\xe8", b"\xfe")) for call in calls)))
    run = boot(image=image, door="linux16", memory="48M", options=SHORT)
    assert run.status == PASS
    assert run.records.start["memory_mib"] in (46, 47)


# How the setup code opens the A20 gate: by the BIOS (mov ax, 0x2401), or else by the chipset (out
# 0x92, al). What a copy does instead: a function that no BIOS has, and a port that only delays.
A20_BY_BIOS = bytes.fromhex("b80124"), bytes.fromhex("b801fe")
A20_BY_PORT = bytes.fromhex("e692"), bytes.fromhex("e6ed")


def real_mode_disk(path, bzimage, options):
    subprocess.run(["nasm", "-f", "bin", "-w+all", "-w+error", "-o", path, REAL_LOADER], check=True)
    words = options.encode().ljust(SECTOR, b"\0")
    path.write_bytes(path.read_bytes() + words + bzimage + bytes(SECTOR))
    return ["-drive", f"format=raw,snapshot=on,file={path}"]


@pytest.mark.parametrize("other", [A20_BY_PORT, A20_BY_BIOS], ids=["bios", "port"])
def test_entered_as_by_kvmtool(tmp_path, bzimage, other):
    """With CS = DS and IP = 0x200, where QEMU has CS = DS + 0x20 and IP = 0; and with A20 closed."""
    bzimage = without(bzimage, other)
    options = f"{SHORT} expect=boot:linux16"
    run = boot(image=None, door="linux16", extra=real_mode_disk(tmp_path / "disk", bzimage, options))
    assert run.status == PASS
    assert run.records.start["options"] == options
    assert 120 <= run.records.start["memory_mib"] <= 128


def test_a20_stays_closed(tmp_path, bzimage):
    """What is above 1 MiB would be what is below: no way to go on, and the screen says so."""
    bzimage = without(bzimage, A20_BY_BIOS, A20_BY_PORT)
    disk = real_mode_disk(tmp_path / "disk", bzimage, SHORT)
    line = [hypertick_qemu.QEMU, "-nodefaults", "-display", "none", "-vga", "std", *disk]
    with screen.Machine(line) as machine:
        lines = machine.wait_for(screen.vga_font(), "^FAIL: no A20$")
    assert "hypertick: the A20 gate stays closed." in lines


@pytest.fixture(scope="module")
def loader(tmp_path_factory):
    path = tmp_path_factory.mktemp("loader") / "linux64"
    subprocess.run(["nasm", "-f", "bin", "-w+all", "-w+error", "-o", path, LOADER], check=True)
    return path


@functools.cache
def directly_booted(machine):
    return boot(machine=machine, options=SHORT)


@pytest.mark.parametrize("image", [IMAGE, BZIMAGE], ids=["elf", "bzImage"])
@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_by_the_64_bit_entry(loader, image, machine):
    """Nothing above 16 MiB is mapped at the entry, and the clocks can be read nevertheless."""
    run = boot(image=loader, door="linux64", machine=machine, extra=["-initrd", os.path.relpath(image)],
               options=f"{SHORT} expect=boot:linux64,clock:hpet:live,clock:lapic:live")  # fmt: skip
    assert run.status == PASS
    assert 120 <= run.records.start["memory_mib"] <= 128
    assert run.records.start["options"].endswith("clock:lapic:live")
    assert not run.notes("warning") and not run.notes("error")
    check_same(run.records, directly_booted(machine).records)


# What kvmtool puts before and behind --params (its x86/kvm.c and builtin-run.c), and Firecracker where
# it is given no boot_args.
LINUX_WORDS = {
    "kvmtool": "noapic noacpi pci=conf1 reboot=k panic=1 i8042.direct=1 i8042.dumbkbd=1 i8042.nopnp=1"
    " earlyprintk=serial i8042.noaux=1 console=ttyS0 {} root=/dev/root rw"
    " rootflags=rw,trans=virtio,version=9p2000.L rootfstype=9p init=/virt/init ip=dhcp",
    "firecracker": "reboot=k panic=1 pci=off nomodules 8250.nr_uarts=0 i8042.noaux i8042.nomux"
    " i8042.nopnp i8042.dumbkbd {} root=/dev/vda ro virtio_mmio.device=4K@0xd0000000:5",
}


@pytest.mark.parametrize("line", LINUX_WORDS.values(), ids=LINUX_WORDS.keys())
def test_words_for_linux_are_no_errors(line):
    run = boot(image=BZIMAGE, door="linux16", options=line.format("window=11ms"))
    assert run.status == PASS
    assert not run.notes("error")
    assert any("init=" in text or "root=" in text for text in run.notes("info"))
