"""The distribution's Linux kernel as a guest: what it takes the TSC's rate for, and when.

The kernel and busybox come as packages by `apt-get download` and are unpacked below build/; nothing
is installed. The guest waits for the kernel's refined value, or for the news that there will be
none, and powers off.
"""

from __future__ import annotations

import gzip
import re
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from guest import Watched, hypertick_qemu, watch

# Metapackages that depend on the current kernel: Debian's, small one first, and Ubuntu's.
KERNELS = ("linux-image-cloud-amd64", "linux-image-amd64", "linux-image-virtual")
BUSYBOX = "busybox-static"

MEMORY_MIB = 256  # Debian's cloud kernel boots with 80, not with 64
TIMEOUT_S = 90
CMDLINE = "console=ttyS0 earlyprintk=ttyS0,115200"

INIT = """#!/bin/busybox sh
export PATH=/bin
busybox mkdir -p /proc
busybox mount -t proc proc /proc
tries=0
while [ $tries -lt 200 ]; do
    busybox dmesg | busybox grep -q -e 'tsc: Refined' -e 'Marking TSC unstable' && break
    busybox usleep 20000
    tries=$((tries + 1))
done
busybox poweroff -f
"""

# arch/x86/kernel/tsc.c prints all three; the method only where it is not CPUID or the hypervisor's.
DETECTED = re.compile(rb"tsc: Detected ([0-9.]+) MHz (?:processor|TSC)")
REFINED = re.compile(rb"tsc: Refined TSC clocksource calibration: ([0-9.]+) MHz")
METHOD = re.compile(rb"tsc: (Fast TSC calibration using PIT|[Uu]sing [^\r\n]+)")


class PeersUnavailable(Exception):
    """There is no Linux guest to compare with; the message says why."""


@dataclass
class LinuxGuest:
    """What it takes to boot one."""

    package: str
    kernel: Path
    initrd: Path


@dataclass
class LinuxRun:
    """What one boot said. Times are in seconds from the start of QEMU; None: it never came."""

    watched: Watched
    detected_hz: Optional[float] = None  # the first value, from the boot processor's calibration
    detected_s: Optional[float] = None
    method: Optional[str] = None
    refined_hz: Optional[float] = None  # the value against HPET or PM timer over a second
    refined_s: Optional[float] = None


def prepare(folder: Path) -> LinuxGuest:
    """Downloads what is not there yet. Raises PeersUnavailable."""
    folder.mkdir(parents=True, exist_ok=True)
    kernel, busybox, name = folder / "vmlinuz", folder / "busybox", folder / "package"
    if not kernel.exists() or not name.exists():
        package = kernel_package(KERNELS)
        root = unpack(package, folder)
        images = sorted(root.glob("boot/vmlinuz-*"))
        if not images:
            raise PeersUnavailable(f"no kernel in the package {package}")
        shutil.copy(images[-1], kernel)
        shutil.rmtree(root)
        name.write_text(package)
    if not busybox.exists():
        root = unpack(BUSYBOX, folder)
        shutil.copy(root / "bin/busybox", busybox)
        shutil.rmtree(root)
    initrd = folder / "initrd.gz"
    files = {"bin/busybox": busybox.read_bytes(), "init": INIT.encode()}
    initrd.write_bytes(gzip.compress(initramfs(files)))
    return LinuxGuest(name.read_text(), kernel, initrd)


def boot(guest: LinuxGuest, accel: str) -> LinuxRun:
    """Boots Linux once, with the same flags as our image."""
    flags = ["-m", str(MEMORY_MIB), "-initrd", str(guest.initrd)]
    command = hypertick_qemu.command(guest.kernel, accel, CMDLINE, "stdio", None, flags)
    return parse(watch(command, TIMEOUT_S))


def parse(watched: Watched) -> LinuxRun:
    run = LinuxRun(watched)
    if found := _line(watched, DETECTED):
        run.detected_s, run.detected_hz = found[0], float(found[1][1]) * 1e6
    if found := _line(watched, REFINED):
        run.refined_s, run.refined_hz = found[0], float(found[1][1]) * 1e6
    if method := METHOD.search(watched.output):
        run.method = method[1].decode()
    return run


def _line(watched: Watched, pattern: re.Pattern) -> Optional[tuple[float, re.Match]]:
    """The first match in the output, and when its last byte came."""
    found = pattern.search(watched.output)
    if not found:
        return None
    length = 0
    for when_s, chunk in watched.chunks:
        length += len(chunk)
        if length >= found.end():
            return when_s, found
    raise AssertionError("the chunks are the output")


def kernel_package(names: tuple[str, ...]) -> str:
    """The package of the kernel that the first of these metapackages known to apt depends on."""
    for name in names:
        shown = _run(["apt-cache", "depends", "--important", name], Path("."))
        if shown and (found := re.search(r"Depends: (linux-image-[0-9]\S+)", shown)):
            return found[1]
    raise PeersUnavailable(f"apt knows none of {', '.join(names)}")


def unpack(package: str, folder: Path) -> Path:
    """Downloads a package, and unpacks it below `folder`, where the next call removes it."""
    root = folder / "unpacked"
    download = folder / "download"
    for path in (root, download):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
    # apt, as root, complains where its own user cannot write, and then downloads all the same.
    if _run(["apt-get", "-q", "download", package], download) is None:
        raise PeersUnavailable(f"`apt-get download {package}` failed (try `apt-get update` first)")
    debs = list(download.glob("*.deb"))
    if len(debs) != 1 or _run(["dpkg", "-x", str(debs[0]), str(root)], folder) is None:
        raise PeersUnavailable(f"the package {package} cannot be unpacked")
    shutil.rmtree(download)
    return root


def _run(command: list[str], folder: Path) -> Optional[str]:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def initramfs(files: dict[str, bytes]) -> bytes:
    """An archive of executable files by their paths, for Linux to unpack at boot."""
    folders = {str(parent) for name in files for parent in Path(name).parents} - {"."}
    members = [(name, stat.S_IFDIR | 0o755, b"") for name in sorted(folders)]
    members += [(name, stat.S_IFREG | 0o755, data) for name, data in files.items()]
    members.append(("TRAILER!!!", 0, b""))
    return b"".join(_cpio(number, *member) for number, member in enumerate(members, start=1))


def _cpio(inode: int, name: str, mode: int, data: bytes) -> bytes:
    """One member of an archive in the "new ASCII" format: Linux, early-userspace/buffer-format."""
    path = name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    # inode, mode, uid, gid, links, mtime, size, device major and minor, the same of a device file,
    # length of the name, checksum
    numbers = (inode, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(path), 0)
    head = b"070701" + b"".join(b"%08X" % number for number in numbers) + path
    return _padded(head) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
