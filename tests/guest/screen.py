"""What a person sees: the text on a guest's screen, read back from its pixels.

    with screen.Machine(line) as machine:
        lines = machine.wait_for(screen.vga_font(), r"PASS: ")

The machine's own memory is not asked: QEMU draws the screen into a PPM file, and each cell's pixels
are looked up in the font. Of the VGA that is the font of its firmware, learned from a boot sector
that shows all 256 characters; on a framebuffer it is ours, from lib/font.c.
"""

from __future__ import annotations

import contextlib
import functools
import json
import re
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from qemu import ROOT, hypertick_qemu

TIMEOUT_SECONDS = 90
HEIGHT = 16  # of a cell
UNKNOWN = "\ufffd"


@dataclass
class Font:
    width: int  # of a cell; 9 on a VGA
    glyphs: dict[bytes, str]  # HEIGHT rows of a cell, a byte a pixel, 1 for ink


@dataclass
class Image:
    width: int
    height: int
    ink: bytes  # a byte a pixel: is it not black?

    def cell(self, row: int, column: int, width: int) -> bytes:
        start = row * HEIGHT * self.width + column * width
        return b"".join(
            self.ink[start + y * self.width : start + y * self.width + width]
            for y in range(HEIGHT)
        )


def read_ppm(data: bytes) -> Image:
    """QEMU's screendump: P6, 8 bits a colour."""
    match = re.match(rb"P6\s+(\d+)\s+(\d+)\s+255\s", data)
    assert match, data[:20]
    width, height = int(match[1]), int(match[2])
    pixels = data[match.end() :]
    assert len(pixels) == 3 * width * height
    # The brightest of a pixel's colours, as one byte each.
    red, green, blue = (int.from_bytes(pixels[i::3], "big") for i in range(3))
    mixed = (red | green | blue).to_bytes(width * height, "big")
    return Image(width, height, mixed.translate(bytes([0]) + bytes([1]) * 255))


def read_text(image: Image, font: Font) -> list[str]:
    """The lines, without trailing spaces. The cursor, which may be drawn, is no character."""
    lines = []
    for row in range(image.height // HEIGHT):
        cells = [image.cell(row, column, font.width) for column in range(image.width // font.width)]
        lines.append("".join(_character(font, cell) for cell in cells).rstrip())
    return lines


def _character(font: Font, cell: bytes) -> str:
    found = font.glyphs.get(cell)
    if found is None:
        # An underline in an otherwise empty cell.
        found = " " if not any(cell[: 13 * font.width]) else UNKNOWN
    return found


@functools.lru_cache(maxsize=None)
def own_font() -> Font:
    """The glyphs of lib/font.c."""
    rows = re.findall(r"^ *\{((?:0x[0-9a-f]{2},? ?){16})\}", (ROOT / "lib/font.c").read_text(), re.M)
    assert len(rows) == 96, "95 characters and one for all others"
    glyphs = {}
    for number, row in enumerate(rows):
        values = [int(value, 16) for value in row.split(",")]
        cell = b"".join(bytes(value >> (7 - x) & 1 for x in range(8)) for value in values)
        glyphs[cell] = chr(0x20 + number) if number < 95 else UNKNOWN
    assert len(glyphs) == 96
    return Font(8, glyphs)


# Shows the 256 characters, from the first cell on, and stops with the cursor switched off.
BOOT_SECTOR = bytes.fromhex(
    "b80300 cd10"  # mov ax, 3; int 0x10: text mode
    "b80001 b90020 cd10"  # mov ax, 0x100; mov cx, 0x2000; int 0x10: no cursor
    "b800b8 8ec0 31ff"  # mov ax, 0xb800; mov es, ax; xor di, di
    "b80007 fc"  # mov ax, 0x0700; cld
    "ab fec0 75fb"  # again: stosw; inc al; jnz again
    "fa f4 ebfd".replace(" ", "")
).ljust(510, b"\0") + b"\x55\xaa"


@functools.lru_cache(maxsize=None)
def vga_font() -> Font:
    """The font of QEMU's VGA in text mode, of the characters from 0x20 to 0x7e."""
    with tempfile.TemporaryDirectory() as name:
        disk = Path(name) / "disk"
        disk.write_bytes(BOOT_SECTOR)
        line = [hypertick_qemu.QEMU, "-nodefaults", "-display", "none", "-vga", "std",
                "-drive", f"format=raw,file={disk}"]  # fmt: skip
        with Machine(line) as machine:
            machine.wait(lambda: machine.memory(0xB8000, 512)[::2] == bytes(range(256)),
                         "the boot sector to show its characters")  # fmt: skip
            image = machine.wait(machine.text_mode_image, "the screen in text mode")
    glyphs = {image.cell(code // 80, code % 80, 9): chr(code) for code in range(0x20, 0x7F)}
    assert len(glyphs) == 95, "two characters look alike"
    return Font(9, glyphs)


class Machine:
    """A QEMU that is watched through its monitor. `line` is its command line."""

    def __init__(self, line: list[str], timeout: float = TIMEOUT_SECONDS):
        self.line = line
        self.timeout = timeout

    def __enter__(self) -> Machine:
        self.stack = contextlib.ExitStack()
        self.directory = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        path = self.directory / "qmp"
        listener = self.stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(30)
        self.process = subprocess.Popen(
            [*self.line, "-qmp", f"unix:{path}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.stack.callback(self._end)
        try:
            connection = self.stack.enter_context(listener.accept()[0])
            connection.settimeout(30)
            self.monitor = self.stack.enter_context(connection.makefile("rw", encoding="utf-8"))
            assert "QMP" in json.loads(self.monitor.readline())
            self.command("qmp_capabilities")
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.stack.close()

    def _end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def command(self, name: str, **arguments):
        print(json.dumps({"execute": name, "arguments": arguments}), file=self.monitor, flush=True)
        while True:
            line = self.monitor.readline()
            assert line, f"QEMU ended by itself: {self.process.stderr.read().decode()}"
            answer = json.loads(line)
            assert "error" not in answer, answer
            if "return" in answer:
                return answer["return"]

    def memory(self, address: int, length: int) -> bytes:
        path = self.directory / "memory"
        self.command("pmemsave", val=address, size=length, filename=str(path))
        return path.read_bytes()

    def image(self) -> Image:
        path = self.directory / "screen.ppm"
        self.command("screendump", filename=str(path))
        return read_ppm(path.read_bytes())

    def text_mode_image(self):
        """The picture, once it is one of 80 by 25 characters, else None."""
        image = self.image()
        return image if (image.width, image.height) == (720, 400) else None

    def wait(self, condition, what: str):
        """What `condition` gives, as soon as that is true."""
        end = time.monotonic() + self.timeout
        while True:
            found = condition()
            if found:
                return found
            assert time.monotonic() < end, f"waited {self.timeout} s for {what}: {self.line}"
            time.sleep(0.05)

    def wait_for(self, font: Font, pattern: str) -> list[str]:
        """The lines of the screen as soon as one of them matches."""
        lines: list[str] = []

        def shown():
            lines[:] = read_text(self.image(), font)
            return any(re.search(pattern, line) for line in lines)

        try:
            self.wait(shown, f"a line with {pattern!r}")
        except AssertionError as error:
            raise AssertionError("\n".join([str(error), *lines])) from None
        return lines
