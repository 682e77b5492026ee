"""Boots the EFI program in OVMF, from a FAT disk, for the guest tests.

    run = efi.boot({"EFI/BOOT/hypertick.conf": "window=50ms"})

The firmware also writes to the serial ports: what it says before hypertick does is cut off.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import qemu
import records

PROGRAM = qemu.ROOT / "build/hypertick.efi"
DEFAULT_BOOT = "EFI/BOOT/BOOTX64.EFI"  # UEFI 2.10, 3.5.1.1

FIRMWARE = Path("/usr/share/OVMF")
CODE, VARIABLES = FIRMWARE / "OVMF_CODE_4M.fd", FIRMWARE / "OVMF_VARS_4M.fd"

DISK_BYTES = 4 << 20
TIMEOUT_SECONDS = 120


def disk(path: Path, files: dict[str, str | bytes], program: str = DEFAULT_BOOT) -> None:
    """Makes a FAT disk without partitions, with the program and these files on it."""
    path.write_bytes(bytes(DISK_BYTES))
    environment = {**os.environ, "MTOOLS_SKIP_CHECK": "1"}

    def mtool(*arguments, text=None):
        subprocess.run(arguments, input=text, check=True, capture_output=True, env=environment)

    mtool("mformat", "-i", str(path), "-v", "HYPERTICK", "::")
    parents = {str(parent) for name in (program, *files) for parent in Path(name).parents}
    for folder in sorted(parents - {"."}):
        mtool("mmd", "-i", str(path), f"::/{folder}")
    mtool("mcopy", "-i", str(path), str(PROGRAM), f"::/{program}")
    for name, content in files.items():
        mtool("mcopy", "-i", str(path), "-", f"::/{name}",
              text=content.encode() if isinstance(content, str) else content)  # fmt: skip


def boot(files: dict[str, str | bytes], program=DEFAULT_BOOT, machine="q35", memory="256M", smp=1,
         bare_exit=False, early=False, extra=()) -> qemu.Run:  # fmt: skip
    """Boots, waits for the end, and checks the run as `qemu.boot` does."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        disk(directory / "disk", files, program)
        line = qemu.start(directory, machine=machine, memory=memory, smp=smp, extra=[
            "-net", "none",
            "-drive", f"if=pflash,format=raw,readonly=on,file={CODE}",
            "-drive", f"if=pflash,format=raw,snapshot=on,file={VARIABLES}",
            "-drive", f"if=none,id=disk,format=raw,file={directory}/disk",
            "-device", "ide-hd,drive=disk,bootindex=0",
            *extra,
        ])  # fmt: skip
        # The firmware is to load the program, not QEMU.
        kernel = line.index("-kernel")
        del line[kernel : kernel + 4]
        try:
            done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True,
                                  timeout=TIMEOUT_SECONDS)  # fmt: skip
        except subprocess.TimeoutExpired:
            said = qemu.collect(directory, -1, "").com1
            raise AssertionError(f"no end in {TIMEOUT_SECONDS} s: {line}\n{said!r}") from None
        run = qemu.collect(directory, done.returncode, done.stderr.decode(errors="replace"))
    expected = (0,) if bare_exit else qemu.RESULTS
    assert run.status in expected, f"status {run.status}: {run.stderr}{run.com1!r}"
    first = max(run.com1.find(b"hypertick "), 0)
    run.before, run.com1 = run.com1[:first], run.com1[first:]
    run.com2 = run.com2[max(run.com2.find(b'{"record"'), 0) :]
    run.records = records.load(run.com2.decode("ascii"), "com2")
    qemu.check(run, "efi", early)
    return run
