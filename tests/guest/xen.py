"""The image as Xen's own first guest: a PVH dom0 on a real Xen, which runs in QEMU TCG.

Xen comes from Debian's package, which is downloaded and unpacked but not installed: its installation
would change how this machine boots.
"""

import gzip
import subprocess
import tempfile
from pathlib import Path

import records
from qemu import IMAGE, ROOT, hypertick_qemu

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


def run(xen, options):
    """What one run leaves: (COM1, COM2). Xen's own console is COM2."""
    with tempfile.TemporaryDirectory() as directory:
        com1, com2 = Path(directory) / "com1", Path(directory) / "com2"
        # An IOMMU is compulsory for a PVH dom0.
        line = [hypertick_qemu.QEMU, "-machine", "q35", "-m", "256", "-cpu", "max,+svm",
                "-device", "amd-iommu", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
                "-nodefaults", "-display", "none", "-no-reboot",
                "-serial", f"file:{com1}", "-serial", f"file:{com2}", "-kernel", str(xen),
                "-append", "console=com2 com2=115200,8n1 dom0=pvh dom0_mem=64M",
                "-initrd", f"{IMAGE} {options}"]  # fmt: skip
        done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS,
                              check=False)  # fmt: skip
        assert com1.exists(), done.stderr.decode(errors="replace")
        return com1.read_text("ascii"), com2.read_text("ascii", "replace")


def boot(xen, options):
    """The records of one run."""
    return records.load(run(xen, f"com1=json {options}")[0], "com1")
