"""A real KVM, with SVM, inside QEMU TCG: Linux with kvm-amd, and in it a QEMU for each guest.

    runs = boot({"plain": Guest("host")})
    assert runs["plain"].hypervisor["vendor"] == "KVM"

One Linux runs all guests, one after the other, and writes what each said to its second serial port,
behind a line with the guest's name. Linux and busybox are Debian's packages, downloaded and unpacked
but not installed; QEMU is the one of this machine.
"""

import gzip
import re
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import linux
import peers
import records
from qemu import IMAGE, RESULTS, hypertick_qemu

MODULES = ("irqbypass", "ccp", "kvm", "kvm-amd")
SECONDS = 400  # for Linux and all its guests; 20 where nothing else runs

FIRMWARE = ("bios-256k.bin", "kvmvapic.bin", "linuxboot_dma.bin", "multiboot_dma.bin", "multiboot.bin",
            "pvh.bin")  # fmt: skip
FIRMWARE_FOLDERS = (Path("/usr/share/qemu"), Path("/usr/share/seabios"))

INIT = """#!/bin/busybox sh
busybox mkdir -p /proc /sys /tmp
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs devtmpfs /dev
for module in {modules}; do
    busybox insmod /modules/$module.ko
done
busybox stty -F /dev/ttyS1 raw
guest() {{
    name=$1
    shift
    busybox rm -f /tmp/records
    busybox timeout {seconds} /bin/qemu-system-x86_64 -L /firmware -accel kvm -m 64 -nodefaults \\
        -display none -no-reboot -device isa-debug-exit,iobase=0xf4,iosize=4 \\
        -serial file:/tmp/records -kernel /hypertick.elf "$@" >/tmp/said 2>&1
    status=$?
    busybox cat /tmp/said
    {{
        echo "=== $name $status"
        busybox cat /tmp/records
    }} >/dev/ttyS1
}}
{guests}
busybox poweroff -f
"""
GUEST_SECONDS = 120


@dataclass
class Guest:
    cpu: str
    options: str = ""
    machine: str = "pc"


def boot(guests):
    """The records of each guest. Raises peers.PeersUnavailable where the packages cannot be had."""
    kernel, busybox, modules = linux.prepare(MODULES)
    lines = [
        shlex.join(["guest", name, "-machine", guest.machine, "-cpu", guest.cpu,
                    "-append", f"com1=json {guest.options}"])
        for name, guest in guests.items()
    ]  # fmt: skip
    init = INIT.format(modules=" ".join(MODULES), seconds=GUEST_SECONDS, guests="\n".join(lines))
    files = {"init": init.encode(), "bin/busybox": busybox.read_bytes(),
             "hypertick.elf": IMAGE.read_bytes(), **_qemu()}  # fmt: skip
    files |= {f"modules/{path.name}": path.read_bytes() for path in modules}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        initrd = directory / "initrd.gz"
        initrd.write_bytes(gzip.compress(peers.initramfs(files), 1))
        line = [hypertick_qemu.QEMU, "-machine", "q35", "-m", "1536", "-cpu", "max,+svm",
                "-nodefaults", "-display", "none", "-no-reboot",
                "-serial", f"file:{directory}/console", "-serial", f"file:{directory}/guests",
                "-kernel", str(kernel), "-initrd", str(initrd),
                "-append", "console=ttyS0 quiet"]  # fmt: skip
        try:
            subprocess.run(line, stdin=subprocess.DEVNULL, timeout=SECONDS, check=True)
        except subprocess.TimeoutExpired:
            pass  # what is missing says so below
        console = (directory / "console").read_text("ascii", "replace")
        said = (directory / "guests").read_text("ascii", "replace")
    return {name: _records(name, said, console) for name in guests}


def _records(name, said, console):
    found = re.search(rf"^=== {name} (\d+)\n(.*?)(?=^=== |\Z)", said, re.MULTILINE | re.DOTALL)
    assert found, f"{name} did not end:\n{console}"
    assert int(found[1]) in RESULTS, f"{name} ended with status {found[1]}:\n{console}"
    run = records.load(found[2], name)
    assert run.end["result"] == RESULTS[int(found[1])]
    return run


def _qemu():
    """This machine's QEMU with its libraries and firmware, by the paths in the archive."""
    program = Path(shutil.which(hypertick_qemu.QEMU))
    listed = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    libraries = re.findall(r"(/\S+) \(0x", listed)
    files = {f"bin/{program.name}": program.read_bytes()}
    files |= {path.lstrip("/"): Path(path).read_bytes() for path in libraries}
    for name in FIRMWARE:
        found = next((folder / name for folder in FIRMWARE_FOLDERS if (folder / name).exists()), None)
        if found:
            files[f"firmware/{name}"] = found.read_bytes()
    return files
