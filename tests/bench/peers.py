"""The distribution's Linux kernel beside hypertick: what its own calibration lines say.

`make bench PEERS=1` downloads the kernel and busybox as packages, unpacks them under build/bench and boots
the kernel in QEMU TCG; nothing is installed.
"""
import gzip
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

BUILD = Path(__file__).parents[2] / "build" / "bench"
KERNEL_PACKAGE = "linux-image-cloud-amd64"
RUNS = 10
TIMEOUT_S = 60
INIT = """#!/bin/sh
mount -t proc proc /proc
i=0
while [ $i -lt 60 ] && ! dmesg | grep -q "Refined TSC\\|Marking TSC unstable"; do
    i=$((i + 1)); sleep 0.1
done
dmesg | grep "tsc:"
poweroff -f
"""
LINE = re.compile(r"tsc: (Detected|Refined TSC clocksource calibration:)\s+([0-9.]+) MHz")


def package(name: str) -> Path:
    """The folder into which a package is unpacked."""
    folder = BUILD / name
    if not folder.exists():
        subprocess.run(["apt-get", "download", "-q", name], cwd=BUILD, check=True,
                       stdout=subprocess.DEVNULL)
        archive = sorted(BUILD.glob(f"{name}_*.deb"))[-1]
        subprocess.run(["dpkg", "-x", archive, folder], check=True)
    return folder


def kernel() -> Path:
    """The kernel image: the meta package depends on the one that has it."""
    depends = subprocess.run(["apt-cache", "depends", KERNEL_PACKAGE], check=True, text=True,
                             capture_output=True).stdout
    name = re.search(r"Depends: (linux-image-\S+)", depends)
    assert name, f"{KERNEL_PACKAGE} depends on no kernel"
    return next((package(name.group(1)) / "boot").glob("vmlinuz-*"))


def newc(name: str, mode: int, data: bytes) -> bytes:
    """One member of a cpio archive in the format that Linux unpacks (cpio(5), "New ASCII Format")."""
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


def initramfs() -> Path:
    """Busybox and an init that waits for the refined value."""
    busybox = next(package("busybox-static").glob("**/busybox")).read_bytes()
    archive = b"".join((newc("bin", 0o40755, b""), newc("proc", 0o40755, b""),
                        newc("dev", 0o40755, b""), newc("bin/busybox", 0o100755, busybox)))
    for applet in ("sh", "mount", "dmesg", "grep", "sleep", "poweroff"):
        archive += newc(f"bin/{applet}", 0o120777, b"busybox")
    archive += newc("init", 0o100755, INIT.encode()) + newc("TRAILER!!!", 0, b"")
    path = BUILD / "initramfs.gz"
    path.write_bytes(gzip.compress(archive))
    return path


def boot(image: Path, initrd: Path) -> dict[str, tuple[float, float]]:
    """What Linux says, in hertz, and after how many seconds."""
    command = ["qemu-system-x86_64", "-m", "256", "-display", "none", "-serial", "stdio", "-monitor",
               "none", "-no-reboot", "-nic", "none", "-accel", "tcg", "-kernel", image, "-initrd",
               initrd, "-append", "console=ttyS0"]
    start = time.monotonic()
    found = {}
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as guest:
        assert guest.stdout
        for line in guest.stdout:
            match = LINE.search(line.decode(errors="replace"))
            if match:
                found.setdefault(match.group(1).split()[0],
                                 (float(match.group(2)) * 1e6, time.monotonic() - start))
            if time.monotonic() - start > TIMEOUT_S:
                guest.kill()
    return found


def compare(results: list[dict]) -> list[dict]:
    """Prints Linux's values beside hypertick's own of the same bench; gives Linux's."""
    truth_hz = statistics.median(result["truth_hz"] for result in results)
    image, initrd = kernel(), initramfs()
    runs = [boot(image, initrd) for _ in range(RUNS)]
    rows = []
    print(f"\nBeside it, Linux ({image.name}), {RUNS} runs"
          "\n  value                      |error| ppm median       max   known after s")
    for key, name in (("Detected", "Linux, detected"), ("Refined", "Linux, refined")):
        found = [run[key] for run in runs if key in run]
        if not found:
            print(f"  {name:26s} none", file=sys.stderr)
            continue
        error = [abs(hertz - truth_hz) / truth_hz * 1e6 for hertz, _ in found]
        after = statistics.median(seconds for _, seconds in found)
        rows.append({"name": name, "error_ppm": error, "after_s": after})
        print(f"  {name:26s} {statistics.median(error):18.4f} {max(error):9.4f} {after:15.2f}")
    for result in results:
        if result["name"].endswith("0 busy"):
            error = [ppb / 1000 for ppb in result["error_ppb"]]
            print(f"  hypertick, {result['name']:15s} {statistics.median(error):18.4f}"
                  f" {max(error):9.4f}")
    return rows
