"""Guests of a real Xen, in QEMU TCG, below a Linux dom0.

    runs = boot({"native": {"type": "pvh", "tsc_mode": "native"}}, "window=100ms")
    assert runs["native"].hypervisor["vendor"] == "Xen"

Linux with busybox, xenstored and xl makes the guests one after the other. Each writes its records to
port 0xE9, which Xen prints on its own console with the guest's number before each line. All programs come
from Debian's packages, downloaded and unpacked but not installed.
"""

import gzip
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import bochs
import linux
import peers
import records
import xen
from qemu import IMAGE, hypertick_qemu

PACKAGES = (
    "xen-utils-4.17", "xen-utils-common", "xenstore-utils", "libxencall1", "libxendevicemodel1",
    "libxenevtchn1", "libxenforeignmemory1", "libxengnttab1", "libxenhypfs1", "libxenmisc4.17",
    "libxenstore4", "libxentoolcore1", "libxentoollog1", "libyajl2", "libnl-3-200",
    "libnl-route-3-200", "qemu-system-xen",
)  # fmt: skip
MODULES = ("xen-privcmd", "xen-evtchn", "xen-gntdev", "xen-gntalloc", "xenfs")
BIN = "usr/lib/xen-4.17/bin"
PROGRAMS = tuple(f"{BIN}/{name}" for name in ("xl", "xenstored", "xenconsoled", "xen-init-dom0"))
QEMU = "usr/libexec/xen-qemu-system-i386"  # the device model of an HVM guest
HVMLOADER = "usr/lib/xen-4.17/boot/hvmloader"
SEABIOS = Path("/usr/share/seabios/bios-256k.bin")
KEYMAP = Path("/usr/share/qemu/keymaps/en-us")
OPTIONS = "com1=off debugcon=json exit=halt"
SECONDS = 300  # for Linux and its guests; 20 where nothing else runs
GUEST_SECONDS = 100

INIT = """#!/bin/busybox sh
export PATH=/{bin}:/bin
busybox mkdir -p /proc /sys /tmp /run/xen /run/xenstored /var/lib/xen /var/log/xen /var/lock
busybox ln -s /run /var/run
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs devtmpfs /dev
for module in {modules}; do
    busybox insmod /modules/$module.ko
done
busybox mount -t xenfs xenfs /proc/xen
busybox mkdir -p /dev/pts
busybox mount -t devpts devpts /dev/pts
xenstored
xen-init-dom0
xenconsoled
number=0
for guest in {guests}; do
    number=$((number + 1))
    xl create /guests/$guest.cfg || continue
    tries=0
    while [ $tries -lt {tries} ]; do
        xl dmesg | busybox grep -q "^(d$number) {{\\"record\\":\\"end\\"" && break
        tries=$((tries + 1))
        busybox sleep 1
    done
    xl destroy $guest
done
busybox poweroff -f
"""


class NeverLoaded(Exception):
    """An HVM guest said nothing at all: in TCG its firmware or GRUB hangs at times when reading a CD."""


def boot(guests, options):
    """The records of each guest, whose value is its configuration for xl without the usual settings.

    An HVM guest boots from a CD by GRUB, the others by their kernel. Raises peers.PeersUnavailable
    where the packages cannot be had, and NeverLoaded.
    """
    hypervisor, problem = xen.fetch()
    if problem:
        raise peers.PeersUnavailable(problem)
    kernel, busybox, modules = linux.prepare(MODULES)
    files = {"bin/busybox": busybox.read_bytes(), **_programs(),
             "guests/hypertick.elf": IMAGE.read_bytes()}  # fmt: skip
    files |= {f"modules/{path.name}": path.read_bytes() for path in modules}
    if any(settings["type"] == "hvm" for settings in guests.values()):
        files |= _firmware(options)
    for name, settings in guests.items():
        files[f"guests/{name}.cfg"] = _configuration(name, settings, options).encode()
    files["init"] = INIT.format(bin=BIN, modules=" ".join(MODULES), guests=" ".join(guests),
                                tries=GUEST_SECONDS).encode()  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        initrd, log = directory / "initrd.gz", directory / "console"
        initrd.write_bytes(gzip.compress(peers.initramfs(files), 1))
        # Without -smap, or a PV dom0 dies in TCG.
        line = [hypertick_qemu.QEMU, "-machine", "q35", "-m", "1536", "-cpu", "max,+svm,-smap",
                "-nodefaults", "-display", "none", "-no-reboot", "-serial", f"file:{log}",
                "-kernel", str(hypervisor),
                "-append", "console=com1 com1=115200,8n1 loglvl=all guest_loglvl=all "
                           "conring_size=1m dom0_mem=1000M",
                "-initrd", f"{kernel} console=hvc0 quiet,{initrd}"]  # fmt: skip
        try:
            subprocess.run(line, stdin=subprocess.DEVNULL, timeout=SECONDS, check=True)
        except subprocess.TimeoutExpired:
            pass  # what is missing says so below
        console = log.read_text("ascii", "replace")
    found = {}
    for number, (name, settings) in enumerate(guests.items(), start=1):
        said = xen.said_by_guest(console, number)
        if settings["type"] == "hvm" and not said.strip():
            raise NeverLoaded(console[-6000:])
        assert '{"record":"end"' in said, f"{name} did not end:\n{console[-6000:]}"
        found[name] = records.load(said, name)
    return found


def _configuration(name, settings, options):
    usual = {"name": name, "memory": 64, "vcpus": 1,
             "on_poweroff": "destroy", "on_reboot": "destroy", "on_crash": "destroy"}  # fmt: skip
    if settings["type"] == "hvm":  # a direct kernel would be entered by a stub of QEMU's
        usual |= {"boot": "d", "disk": ["file:/guests/hypertick.iso,hdc:cdrom,r"], "vga": "none",
                  "vnc": 0}  # fmt: skip
    else:
        usual |= {"kernel": "/guests/hypertick.elf", "cmdline": f"{OPTIONS} {options}"}
    # xl reads Python's way of writing strings and numbers.
    return "".join(f"{key} = {value!r}\n" for key, value in {**usual, **settings}.items())


def _firmware(options):
    """What an HVM guest boots with and from."""
    problem = bochs.problem()
    if problem:
        raise peers.PeersUnavailable(problem)
    files = {"usr/share/seabios/bios-256k.bin": SEABIOS.read_bytes(),
             "usr/share/qemu/keymaps/en-us": KEYMAP.read_bytes()}  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        iso = bochs.make_iso(Path(name), f"{OPTIONS} {options}", "multiboot")
        files["guests/hypertick.iso"] = iso.read_bytes()
    return files


def _programs():
    """What dom0 runs, with its libraries, by the paths in the archive."""
    root = linux.CACHE / "xen"
    if not (root / HVMLOADER).exists():
        root.mkdir(parents=True, exist_ok=True)
        for package in PACKAGES:
            unpacked = peers.unpack(package, linux.CACHE)
            shutil.copytree(unpacked, root, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(unpacked)
    folders = sorted({str(path.parent) for path in root.rglob("*.so*")})
    environment = dict(os.environ, LD_LIBRARY_PATH=":".join(folders))
    files = {path: (root / path).read_bytes() for path in (*PROGRAMS, QEMU, HVMLOADER)}
    for path in (*PROGRAMS, QEMU):
        listed = subprocess.run(["ldd", root / path], check=True, capture_output=True, text=True,
                                env=environment).stdout  # fmt: skip
        for library in re.findall(r"(/\S+) \(0x", listed):
            name = str(Path(library).relative_to(root if library.startswith(str(root)) else "/"))
            files[name] = Path(library).read_bytes()
    return files
