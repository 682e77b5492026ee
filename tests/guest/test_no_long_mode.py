"""A CPU without long mode is told so on COM1 and on the screen, and is never reset in silence."""

import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from qemu import FAIL, boot, collect, start

SENTENCE = "hypertick: this CPU has no long mode (64-bit); an x86-64 CPU is needed."
RESULT = "FAIL: no long mode"
ROWS, COLUMNS = 25, 80


def halted(cpu: str, timeout=30) -> tuple[str, list[str]]:
    """COM1 and the rows of the screen of a guest that says its result and then stays where it is."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        line = start(directory, cpu=cpu, extra=["-vga", "std", "-monitor", "stdio"])
        with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            try:
                end = time.monotonic() + timeout
                while RESULT not in collect(directory, 0, "").text:
                    assert process.poll() is None, "QEMU ended by itself"
                    assert time.monotonic() < end, f"{RESULT!r} did not come in {timeout} s"
                    time.sleep(0.02)
                time.sleep(0.2)  # the screen follows COM1, and a reset would follow that
                dump = directory / "screen"
                command = f'pmemsave 0xb8000 {ROWS * COLUMNS * 2} "{dump}"\nquit\n'
                process.communicate(command.encode(), timeout=10)
            finally:
                process.kill()
        characters = dump.read_bytes()[::2].decode("latin-1")
        rows = [characters[at : at + COLUMNS].rstrip("\0 ") for at in range(0, ROWS * COLUMNS, COLUMNS)]
        return collect(directory, 0, "").text, rows


def test_the_sentence_on_com1_and_on_the_screen():
    """Without a hypervisor's bit port 0xF4 is not written, so the machine halts and can be looked at."""
    text, rows = halted("qemu32,-hypervisor")
    assert text.splitlines() == [SENTENCE, RESULT]
    # Firmware wrote to the screen before: none of it is left.
    assert [row for row in rows if row] == [SENTENCE, RESULT]


@pytest.mark.parametrize("machine", ["pc", "microvm"])
def test_without_a_serial_port_the_status_remains(machine):
    run = boot(machine=machine, cpu="qemu32", com1=False, com2=False, silent=True)
    assert run.status == FAIL
