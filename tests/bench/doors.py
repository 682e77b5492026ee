"""How long each door takes, from QEMU's start to the first byte of the report, and how large its file is.

Firmware and boot loader count: that is what a user waits for. Other output on the port (GRUB's) does
not.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from guest import hypertick_qemu, watch
from tables import spread, table

FIRST = b"hypertick "  # the banner's first word
OVMF = Path("/usr/share/ovmf/OVMF.fd")
MULTIBOOT1_MAGIC = (0x1BADB002).to_bytes(4, "little")
TIMEOUT_S = 120
OPTIONS = "window=10ms"


def _pvh_copy(image: Path, folder: Path) -> Path:
    """QEMU looks for Multiboot first: a copy without its magic is entered by the PVH note."""
    data = bytearray(image.read_bytes())
    at = data.index(MULTIBOOT1_MAGIC)
    data[at : at + 4] = bytes(4)
    copy = folder / "pvh.elf"
    copy.write_bytes(data)
    return copy


def _medium(command: list[str], medium: list[str], firmware: bool) -> list[str]:
    kernel = command.index("-kernel")
    del command[kernel : kernel + 4]  # with -append
    flags = ["-bios", str(OVMF)] if firmware else []
    return command + flags + ["-m", "256", *medium]


def _efi_disk(program: Path, folder: Path) -> list[str]:
    boot = folder / "fat/EFI/BOOT"
    boot.mkdir(parents=True)
    shutil.copy(program, boot / "BOOTX64.EFI")
    (boot / "hypertick.conf").write_text(OPTIONS + "\n")
    return ["-drive", f"format=raw,file=fat:rw:{folder / 'fat'}"]


def _doors(build: Path, accel: str, folder: Path) -> list[tuple[str, Path, list[str]]]:
    """Name, file, command; only what has been built."""
    image, bzimage, efi, iso, disk = (
        build / f"hypertick.{end}" for end in ("elf", "bzImage", "efi", "iso", "img")
    )
    found = [
        ("Multiboot 1, -kernel", image, image),
        ("PVH, -kernel", image, _pvh_copy(image, folder)),
        ("Linux 16-bit, -kernel", bzimage, bzimage),
    ]
    doors = [
        (name, file, hypertick_qemu.command(kernel, accel, OPTIONS, "stdio", None))
        for name, file, kernel in found
        if kernel.exists()
    ]
    media = [
        ("ISO, BIOS", iso, ["-cdrom", str(iso)], False),
        ("ISO, UEFI", iso, ["-cdrom", str(iso)], True),
        ("disk image, BIOS", disk, ["-drive", f"format=raw,snapshot=on,file={disk}"], False),
        ("disk image, UEFI", disk, ["-drive", f"format=raw,snapshot=on,file={disk}"], True),
    ]
    if efi.exists():
        media.append(("EFI program, UEFI", efi, _efi_disk(efi, folder), True))
    for name, file, medium, firmware in media:
        if file.exists() and (OVMF.exists() or not firmware):
            command = hypertick_qemu.command(image, accel, OPTIONS, "stdio", None)
            doors.append((name, file, _medium(command, medium, firmware)))
    return doors


def measure(build: Path, accel: str, runs: int, problems: list[str]) -> list[dict[str, Any]]:
    rows = []
    with tempfile.TemporaryDirectory(prefix="hypertick-bench-") as name:
        for door, file, command in _doors(build, accel, Path(name)):
            times = []
            for _ in range(runs):
                watched = watch(command, TIMEOUT_S)
                seen = b""
                for at, chunk in watched.chunks:
                    seen += chunk
                    if FIRST in seen:
                        times.append(1e3 * at)
                        break
                else:
                    problems.append(f"door {door}: no report came")
                    break
            rows.append({"door": door, "file_bytes": file.stat().st_size, "first_byte_ms": times})
    return rows


def text(rows: list[dict[str, Any]]) -> str:
    return table(
        ("door", "file, bytes", "first byte, ms: median [least .. most]"),
        [
            (row["door"], f"{row['file_bytes']:,}", spread(row["first_byte_ms"], 0))
            for row in rows
        ],
    )
