"""Boots the image in QEMU for the guest tests.

    run = boot(machine="q35", options="window=50ms")
    assert run.status == PASS
    assert run.records.clock("hpet")["status"] == "live"

A run that `boot` gives back has been checked: its records are whole and valid by the schema, its end
record agrees with its exit status and with the last line of its text, and the door it came in by is
the one that was asked for.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import hypertick_qemu  # noqa: E402
import records  # noqa: E402

IMAGE = ROOT / "build/hypertick.elf"

PASS, FAIL, INCONCLUSIVE = 33, 35, 37  # QEMU's exit statuses for the three results
RESULTS = {PASS: "pass", FAIL: "fail", INCONCLUSIVE: "inconclusive"}

TIMEOUT_SECONDS = 90
TEXT_COLUMNS = 100  # the widest that a line of the report may be

MULTIBOOT1_MAGIC = (0x1BADB002).to_bytes(4, "little")
MULTIBOOT1_SEARCHED = 8192  # Multiboot 0.6.96, 3.1: the header lies in the first 8192 bytes


@dataclass
class Run:
    """One run of QEMU to its end."""

    status: int  # QEMU's exit status
    com1: bytes
    com2: bytes
    debugcon: bytes
    stderr: str
    records: Optional[records.Run] = None  # those of COM2, if it got any
    before: bytes = b""  # what firmware said on COM1 before the report began

    @property
    def text(self) -> str:
        """COM1, with the line ends of a text file."""
        return self.com1.decode("ascii").replace("\r\n", "\n")

    @property
    def last_line(self) -> str:
        return (self.text.strip().splitlines() or [""])[-1]

    def notes(self, level: str) -> list[str]:
        found = self.records.records("note") if self.records else []
        return [note["text"] for note in found if note["level"] == level]


def start(directory: Path, *, machine="pc", accel="tcg", cpu=None, smp=1, memory="128M", options="",
          extra=(), image=IMAGE, com1=True, com2=True):  # fmt: skip
    """The command line of a run that writes its ports to files in `directory`.

    Without an image it is the firmware that boots, from what `extra` adds.
    """
    flags = ["-machine", machine, "-m", memory, "-smp", str(smp)]
    if cpu is not None:
        flags += ["-cpu", cpu]
    flags += ["-chardev", hypertick_qemu.file_backend(directory / "debugcon") + ",id=debugcon"]
    flags += ["-device", "isa-debugcon,iobase=0xe9,chardev=debugcon"]
    line = hypertick_qemu.command(
        image or IMAGE, accel, options,
        hypertick_qemu.file_backend(directory / "com1") if com1 else None,
        hypertick_qemu.file_backend(directory / "com2") if com2 else None,
        [*flags, *extra],
    )  # fmt: skip
    if image is None:
        kernel = line.index("-kernel")
        del line[kernel : kernel + 4]
    return line


def collect(directory: Path, status: int, stderr: str) -> Run:
    def content(name):
        path = directory / name
        return path.read_bytes() if path.exists() else b""

    return Run(status, content("com1"), content("com2"), content("debugcon"), stderr)


def boot(timeout=TIMEOUT_SECONDS, door="multiboot1", early=False, silent=False, bare_exit=False,
         **machine) -> Run:  # fmt: skip
    """Boots the image, waits for the end, and checks the run.

    `machine` is what `start` takes. `door` is what the start record must say about the boot protocol;
    a guest that ends `early` has no start record, and a `silent` one none at all. After a `bare_exit`
    QEMU's status is 0 and says nothing.
    """
    with tempfile.TemporaryDirectory() as directory:
        line = start(Path(directory), **machine)
        try:
            done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True,
                                  timeout=timeout)  # fmt: skip
        except subprocess.TimeoutExpired:
            run = collect(Path(directory), -1, "")
            raise AssertionError(f"no end in {timeout} s: {' '.join(line)}\n{run.com1!r}") from None
        run = collect(Path(directory), done.returncode, done.stderr.decode(errors="replace"))
    expected = (0,) if bare_exit else RESULTS
    assert run.status in expected, f"status {run.status}: {' '.join(line)}\n{run.stderr}{run.com1!r}"
    if not silent:
        run.records = records.load(run.com2.decode("ascii"), "com2")
        check(run, door, early)
    return run


def check(run: Run, door: str, early: bool) -> None:
    """Holds the records of a run against its exit status and its text."""
    result = run.records.end["result"]
    assert result == RESULTS.get(run.status, result)
    if early:
        assert run.records.start is None
    else:
        assert run.records.start["boot"] == door
    # TAP, and JSON alone, have no last line of text.
    if run.com1 and not run.text.startswith(("TAP", "{")):
        lines = [line for line in run.text.splitlines() if not line.startswith('{"record"')]
        assert f", booted by {door}" in lines[0]
        assert lines[-1] == f"{result.upper()}: {run.records.end['reason']}"
        # The option line is shown as it was given.
        wide = [n for n in lines if len(n) > TEXT_COLUMNS and not n.startswith("options ")]
        assert not wide, f"lines of over {TEXT_COLUMNS} columns: {wide}"


def pvh_image(directory: Path) -> Path:
    """A copy of the image that QEMU enters through its PVH note.

    QEMU looks for a Multiboot header first, so the copy's magic is zeroed.
    """
    data = bytearray(IMAGE.read_bytes())
    at = data.index(MULTIBOOT1_MAGIC, 0, MULTIBOOT1_SEARCHED)
    data[at : at + 4] = bytes(4)
    copy = directory / "pvh.elf"
    copy.write_bytes(data)
    return copy


def screen(options: str, done: bytes, timeout=TIMEOUT_SECONDS) -> list[str]:
    """The 25 lines of the VGA text screen after COM1 has said `done`.

    The guest has to stay where it is then, so the options need exit=halt; QEMU's monitor reads the
    screen's memory and ends the machine.
    """
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        line = start(directory, options=options, extra=["-vga", "std", "-monitor", "stdio"])
        with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            try:
                end = time.monotonic() + timeout
                while done not in collect(directory, 0, "").com1:
                    assert process.poll() is None, "QEMU ended by itself"
                    assert time.monotonic() < end, f"{done!r} did not come in {timeout} s"
                    time.sleep(0.02)
                dump = directory / "screen"
                process.communicate(f'pmemsave 0xb8000 4000 "{dump}"\nquit\n'.encode(), timeout=10)
            finally:
                process.kill()
        characters = dump.read_bytes()[::2].decode("latin-1")
    return [characters[row * 80 : row * 80 + 80].rstrip("\0 ") for row in range(25)]
