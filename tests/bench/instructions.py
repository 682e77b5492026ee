"""Counts the instructions that the image executes, exactly.

QEMU with -icount counts instructions, and while it records a run for replay its monitor tells the
count whenever the guest is stopped. So the image is run under QEMU's gdbstub, and stopped at its
Multiboot entry, at the kernel's entry when it is unpacked, at the kernel's first RDTSC, which is the
beginning of kernel_main, and at every OUT instruction until the first line has left COM1. The kernel's
own file is beside the image, since it is compressed in there. A breakpoint at bytes that only look
like one of these instructions is never hit, since QEMU breaks by address and does not write to the
guest.

From kernel_main on the guest says the rest itself: under -icount shift=0 an instruction takes one
nanosecond, and it never halts.
"""

from __future__ import annotations

import re
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path

import elf
from guest import Run, boot, hypertick_qemu

OPTIONS = "window=10ms precision=0"
WIDE_OPTIONS = OPTIONS + " scan=wide"
# As long as each other, for the same readings: in ten windows, and in one.
MONITOR_OPTIONS = "window=10ms precision=0 duration=100ms"
LONG_OPTIONS = "window=100ms precision=0"
TIMEOUT_S = 60

RDTSC = b"\x0f\x31"
OUT_DX_AL = b"\xee"

# Where registers lie in the answer to `g`, 8 bytes each: gdb/features/i386/64bit-core.xml.
RAX, RDX, RIP = 0, 3, 16

# The 16550A's registers on COM1, from its data sheet.
COM1_DATA = 0x3F8
COM1_LINE_CONTROL = 0x3FB
DIVISOR_LATCH = 0x80  # while set, the data register is the divisor
COM1_MODEM_CONTROL = 0x3FC
LOOPBACK = 0x10  # while set, nothing is sent


class CountFailed(Exception):
    """The count could not be taken; the message says why."""


class Stub:
    """A client of QEMU's gdbstub."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(TIMEOUT_S)
        deadline = time.monotonic() + TIMEOUT_S
        while self._socket.connect_ex(str(path)) != 0:
            if time.monotonic() > deadline:
                raise CountFailed("QEMU's gdbstub does not answer")
            time.sleep(0.01)
        self._pending = b""

    def close(self) -> None:
        self._socket.close()

    def ask(self, packet: str) -> str:
        data = packet.encode()
        self._socket.sendall(b"$%s#%02x" % (data, sum(data) & 0xFF))
        return self._answer()

    def _answer(self) -> str:
        while not (match := re.search(rb"\$([^#]*)#[0-9a-f]{2}", self._pending)):
            data = self._socket.recv(4096)
            if not data:
                raise CountFailed("the guest ended before its first line")
            self._pending += data
        self._pending = self._pending[match.end() :]
        self._socket.sendall(b"+")
        return match[1].decode()

    def registers(self) -> tuple[int, ...]:
        return struct.unpack_from("<17Q", bytes.fromhex(self.ask("g")))

    def breakpoint(self, address: int, there: bool = True) -> None:
        if self.ask(f"{'Z' if there else 'z'}0,{address:x},1") != "OK":
            raise CountFailed(f"QEMU refuses a breakpoint at {address:#x}")

    def instructions(self) -> int:
        """Executed by the machine since it was switched on."""
        answer, text = self.ask("qRcmd," + b"info replay".hex()), ""
        while answer.startswith("O") and answer != "OK":
            text += bytes.fromhex(answer[1:]).decode()
            answer = self._answer()
        if not (match := re.search(r"instruction count = (\d+)", text)):
            raise CountFailed(f"the monitor's `info replay` says: {text.strip() or answer}")
        return int(match[1])

    def step_over(self, address: int) -> None:
        """Past the breakpoint at which the guest stands."""
        self.breakpoint(address, False)
        self.ask("s")
        self.breakpoint(address)


def count(image: Path) -> dict[str, int]:
    """Instructions by what they were spent on. Raises CountFailed."""
    counts = _stopped(image, elf.multiboot_entry(image), elf.read(image.with_suffix(".debug")))
    run = boot(image, "icount", OPTIONS)
    if run.problem:
        raise CountFailed(run.problem)
    measured = run.records.measurement("all")
    guest_ns = run.records.end["guest_ns"]
    if guest_ns is None:
        raise CountFailed("the guest measured no rate, and so no time")
    counts["window"] = counts["kernel_main"] + measured["began_ns"]
    counts["all_but_window"] = counts["kernel_main"] + guest_ns - measured["window_ns"]
    counts |= _detection(run, "")
    wide = boot(image, "icount", WIDE_OPTIONS)
    if wide.problem:
        raise CountFailed(f"scan=wide: {wide.problem}")
    counts |= _detection(wide, "_wide")
    for name, options in (("reading", LONG_OPTIONS), ("reading_monitor", MONITOR_OPTIONS)):
        run = boot(image, "icount", options)
        if run.problem:
            raise CountFailed(f"{options}: {run.problem}")
        counts[name] = _reading(run)
    return counts


def _reading(run: Run) -> int:
    """What one reading of one clock takes, with all that is done about it."""
    every = run.records.measurement("all")
    return every["window_ns"] // every["samples"]


def _detection(run: Run, suffix: str) -> dict[str, int]:
    """What detection and audit took. Under icount the TSC counts nanoseconds, too: instructions."""
    (audit,) = run.records.records("audit")
    return {
        f"scan{suffix}": audit["scan_cycles"],
        f"scan_cpuid{suffix}": audit["scan_executions"],
        f"audit{suffix}": audit["audit_cycles"],
        f"audit_cpuid{suffix}": audit["audit_executions"],
    }


def _stopped(image: Path, entry: int, kernel: elf.Elf) -> dict[str, int]:
    with tempfile.TemporaryDirectory(prefix="hypertick-bench-") as folder:
        path = Path(folder) / "gdb"
        command = hypertick_qemu.command(image, "icount", OPTIONS, "null", "null")
        at = command.index("-icount") + 1
        command[at] += f",rr=record,rrfile={folder}/replay"
        command += ["-S", "-gdb", f"unix:path={path},server=on,wait=off"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            stub = Stub(path)
            try:
                return _follow(stub, entry, kernel)
            finally:
                stub.close()
        except (OSError, ValueError, struct.error) as error:
            raise CountFailed(f"QEMU's gdbstub: {error}") from None
        finally:
            process.kill()
            process.wait()


def _follow(stub: Stub, entry: int, kernel: elf.Elf) -> dict[str, int]:
    stub.breakpoint(entry)
    stub.ask("c")
    entered = stub.instructions()
    stub.breakpoint(entry, False)
    counts = {"firmware": entered}
    stub.breakpoint(kernel.entry)
    stub.ask("c")
    counts["unpacked"] = stub.instructions() - entered
    stub.breakpoint(kernel.entry, False)
    clocks, outs = _find(kernel, RDTSC), _find(kernel, OUT_DX_AL)
    for address in clocks | outs:
        stub.breakpoint(address)
    line_control = modem_control = 0
    while "first_line" not in counts:
        stub.ask("c")
        registers = stub.registers()
        address = registers[RIP]
        if address in clocks:
            counts.setdefault("kernel_main", stub.instructions() - entered)
            for clock in clocks:
                stub.breakpoint(clock, False)
            clocks = set()
            continue
        port, value = registers[RDX] & 0xFFFF, registers[RAX] & 0xFF
        if port == COM1_LINE_CONTROL:
            line_control = value
        elif port == COM1_MODEM_CONTROL:
            modem_control = value
        elif (
            port == COM1_DATA and not line_control & DIVISOR_LATCH and not modem_control & LOOPBACK
        ):
            counts.setdefault("first_byte", stub.instructions() - entered)
            if value == ord("\n"):
                counts["first_line"] = stub.instructions() - entered
        stub.step_over(address)
    return counts


def _find(program: elf.Elf, pattern: bytes) -> set[int]:
    return {
        part.address + match.start()
        for part in program.segments
        if part.executable
        for match in re.finditer(re.escape(pattern), part.data)
    }
