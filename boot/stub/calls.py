"""Prepares the kernel for compression: calls of one function become the same bytes.

    python3 boot/stub/calls.py KERNEL PREPARED

The operand of a near CALL is a distance, another one at each place. Here the place is added to it, so
that what is left is the target, and a function that is called a hundred times compresses to a hundred
references to one string. boot/stub/entry.asm takes the places off again: `restore_calls` there is the
inverse, and must skip the same bytes. What looks like a CALL but is data takes part on both sides.
"""
import sys
from pathlib import Path

CALL = 0xE8  # CALL rel32: Intel SDM, volume 2A, "CALL"
OPERAND = 4  # bytes


def prepare(kernel: bytes) -> bytes:
    """The kernel with the place of each operand added to it, modulo 2^32."""
    data = bytearray(kernel)
    at = 0
    while at < len(data) - OPERAND:
        at += 1
        if data[at - 1] == CALL:
            value = int.from_bytes(data[at : at + OPERAND], "little") + at
            data[at : at + OPERAND] = (value % 2**32).to_bytes(OPERAND, "little")
            at += OPERAND
    return bytes(data)


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(prepare(Path(sys.argv[1]).read_bytes()))
