"""The image as Xen's own first guest: a PVH dom0 on a real Xen, which runs in QEMU TCG.

Xen comes from Debian's package, which is downloaded and unpacked but not installed: its installation
would change how this machine boots.
"""

import gzip
import subprocess
import tempfile
from pathlib import Path

import records
from qemu import IMAGE, RESULTS, ROOT, hypertick_qemu

CACHE = ROOT / "build/xen"
SECONDS = 120


def fetch():
    """Xen's ELF, as (path, None), or (None, why there is none)."""
    target = CACHE / "xen.elf"
    if target.exists():
        return target, None
    CACHE.mkdir(parents=True, exist_ok=True)
    try:
        names = subprocess.run(["apt-cache", "pkgnames", "xen-hypervisor-"], check=True,
                               capture_output=True, text=True).stdout.split()  # fmt: skip
        package = next((name for name in sorted(names) if name.endswith("-amd64")), None)
        if package is None:
            return None, "apt knows no package of Xen"
        with tempfile.TemporaryDirectory(dir=CACHE) as directory:
            subprocess.run(["apt-get", "-q", "download", package], check=True, cwd=directory,
                           capture_output=True, timeout=SECONDS)  # fmt: skip
            deb = next(Path(directory).glob("*.deb"))
            subprocess.run(["dpkg-deb", "-x", deb, "root"], check=True, cwd=directory)
            image = next(Path(directory).glob("root/boot/xen-*.gz"))
            target.write_bytes(gzip.decompress(image.read_bytes()))
    except (OSError, subprocess.SubprocessError, StopIteration) as error:
        return None, f"Xen cannot be had: {error}"
    return target, None


def run(xen, options, console, extra=()):
    """One run with Xen's own console on the port `console`, com1 or com2, which the guest then does
    not see. Gives QEMU's exit status and what each of the two ports got."""
    with tempfile.TemporaryDirectory() as directory:
        ports = [Path(directory) / name for name in ("com1", "com2")]
        # An IOMMU is compulsory for a PVH dom0.
        line = [hypertick_qemu.QEMU, "-machine", "q35", "-m", "256", "-cpu", "max,+svm",
                "-device", "amd-iommu", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
                "-nodefaults", "-display", "none", "-no-reboot",
                "-serial", f"file:{ports[0]}", "-serial", f"file:{ports[1]}", "-kernel", str(xen),
                "-append", f"console={console} {console}=115200,8n1 guest_loglvl=all "
                           "dom0=pvh dom0_mem=64M",
                "-initrd", f"{IMAGE} {options}", *extra]  # fmt: skip
        done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS,
                              check=False)  # fmt: skip
        assert all(port.exists() for port in ports), done.stderr.decode(errors="replace")
        return done.returncode, *(port.read_text("ascii", "replace") for port in ports)


def boot(xen, options, extra=()):
    """The records of one run that writes them to COM1."""
    status, com1, _ = run(xen, f"com1=json {options}", "com2", extra)
    found = records.load(com1, "com1")
    assert found.end["result"] == RESULTS[status]
    return found


def said_by_guest(console, domain=0):
    """What a guest wrote to port 0xE9, from Xen's console.

    Xen marks each line with the guest's number, and breaks those that are longer than its buffer, so
    what does not begin a record belongs to the one before.
    """
    marked = [line for line in console.splitlines() if line.startswith(f"(d{domain}) ")]
    lines = [line.split(" ", 1)[1] for line in marked]
    return "".join(("\n" if line.startswith('{"record"') else "") + line for line in lines) + "\n"
