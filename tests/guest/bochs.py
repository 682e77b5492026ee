"""Boots the image in Bochs, an emulator that shares no code with QEMU, from a CD made by GRUB.

    run = boot(model="corei7_skylake_x", options="window=50ms")
    assert run.records.measurement("all")["low_hz"] <= IPS

With `clock: sync=none` Bochs executes exactly `ips` instructions in a second of its own time, and its
TSC counts them: the true rate is known, and two runs are the same, byte by byte.
"""

import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import records
from qemu import IMAGE

IPS = 50_000_000
SECONDS = 120
BIOS = Path("/usr/share/bochs/BIOS-bochs-latest")
SEABIOS = Path("/usr/share/seabios/bios.bin")  # another BIOS that runs there
VGA_BIOS = Path("/usr/share/bochs/VGABIOS-lgpl-latest")
GRUB = Path("/usr/lib/grub/i386-pc")

# rfb is the display that needs no screen, and waits for no viewer with timeout=0. Without the dummies
# the sound card would look for a host's.
CONFIGURATION = """\
config_interface: textconfig
display_library: rfb, options="timeout=0"
romimage: file={bios}
vgaromimage: file={vga}
megs: 128
cpu: model={model}, count={count}, ips={ips}, reset_on_triple_fault=0
clock: sync=none, time0=1000000000
pci: enabled=1, chipset=i440fx{advopts}
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path={iso}, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev={directory}/com1
com2: enabled=1, mode=file, dev={directory}/com2
log: {directory}/log
panic: action=fatal
error: action=report
info: action=report
debug: action=ignore
mouse: enabled=0
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
speaker: enabled=0
port_e9_hack: enabled=1
"""


@dataclass
class Run:
    com1: str
    com2: str
    said: str  # Bochs' own last words
    ended: bool  # by itself, and not by us because the guest was done
    records: records.Run


def problem():
    """Why Bochs cannot be used here, or None."""
    for program in ("bochs-bin", "grub-mkrescue", "xorriso"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    for path in (BIOS, VGA_BIOS, GRUB):
        if not path.exists():
            return f"{path} is not there"
    return None


def make_iso(directory, options, command="multiboot"):
    tree = directory / "iso"
    (tree / "boot/grub").mkdir(parents=True)
    shutil.copy(IMAGE, tree / "boot/hypertick.elf")
    (tree / "boot/grub/grub.cfg").write_text(
        f"terminal_output console\n{command} /boot/hypertick.elf {options}\nboot\n"
    )
    iso = directory / "hypertick.iso"
    subprocess.run(["grub-mkrescue", "-d", GRUB, "-o", iso, tree], check=True, capture_output=True)
    return iso


def boot(*, model="corei7_skylake_x", count=1, ips=IPS, options="", advopts="",
         command="multiboot", bios=BIOS, timeout=SECONDS):  # fmt: skip
    """Boots the image, waits for the end, and checks the records, which COM2 gets.

    `command` is GRUB's, multiboot or multiboot2. Bochs is ended when the guest said its last word
    and then stays: not every way of leaving works with every BIOS.
    """
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        iso = make_iso(directory, options, command)
        configuration = directory / "bochsrc"
        configuration.write_text(CONFIGURATION.format(
            bios=bios, vga=VGA_BIOS, model=model, count=count, ips=ips, directory=directory, iso=iso,
            advopts=f", advopts={advopts}" if advopts else "",
        ))  # fmt: skip
        # Debian's Bochs has its debugger built in, which waits for a command first.
        commands = directory / "commands"
        commands.write_text("c\nquit\n")
        output = directory / "output"
        with output.open("wb") as out:
            line = ["bochs-bin", "-q", "-f", configuration, "-rc", commands]
            process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=subprocess.STDOUT, cwd=directory)  # fmt: skip
            try:
                ended = wait(process, directory, timeout)
            finally:
                process.kill()
                process.wait()
        com1, com2 = (content(directory / port) for port in ("com1", "com2"))
        said = content(output)
        assert '{"record":"end"' in com2, f"no end in {timeout} s:\n{com1}{said[-2000:]}"
        return Run(com1, com2, said, ended, records.load(com2, "com2"))


def wait(process, directory, timeout):
    """True if Bochs ends by itself, False if the guest is done and halts, or is never done."""
    end = time.monotonic() + timeout
    while process.poll() is None:
        halted = content(directory / "com1").endswith("Halted.\n")
        if halted or time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def content(path):
    # Universal newlines: a serial port ends lines with CR LF.
    return path.read_text("ascii", "replace") if path.exists() else ""
