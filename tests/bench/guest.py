"""Runs QEMU, and says what came out of it and when. Beside it go the load, and the truth."""

from __future__ import annotations

import contextlib
import os
import selectors
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator, Optional, Sequence

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import hypertick_qemu  # noqa: E402
from hypertick_report import records  # noqa: E402

TIMEOUT_S = 120
PPB = 1_000_000_000

# Ends when its parent does, however that ended, so that no load outlives a bench that was killed.
BUSY_LOOP = """
import os
parent = os.getppid()
while os.getppid() == parent:
    pass
"""


@dataclass
class Watched:
    """A process that has ended. Times are in seconds from its start."""

    command: list[str]
    status: Optional[int] = None  # None: it was killed when its time was up
    end_s: float = 0.0
    chunks: list[tuple[float, bytes]] = field(default_factory=list)  # standard output as it came
    stderr: str = ""

    @property
    def first_s(self) -> float:
        """When the first byte came; there has to be one."""
        return self.chunks[0][0]

    @property
    def last_s(self) -> float:
        return self.chunks[-1][0]

    @property
    def output(self) -> bytes:
        return b"".join(chunk for _, chunk in self.chunks)


@dataclass
class Run:
    """One run of the image."""

    watched: Watched
    records: records.Run
    problem: Optional[str]  # why it did not complete, in words
    log: str = ""  # the records as they came

    def measurements(self) -> dict[str, dict]:
        """By clock, and `all`."""
        return {record["clock"]: record for record in self.records.records("measurement")}

    def save(self, stem: Path) -> None:
        """Writes down everything that it takes to look into it, in files that begin with `stem`."""
        stem.parent.mkdir(parents=True, exist_ok=True)
        stem.with_suffix(".command").write_text(shlex.join(self.watched.command) + "\n")
        stem.with_suffix(".txt").write_bytes(self.watched.output)
        stem.with_suffix(".jsonl").write_text(self.log)
        stem.with_suffix(".stderr").write_text(self.watched.stderr)


def watch(command: Sequence[str], timeout_s: float = TIMEOUT_S) -> Watched:
    """Runs a command to its end, and notes when each piece of its output came."""
    watched = Watched(list(command))
    with tempfile.TemporaryFile() as stderr:
        start = time.monotonic()
        deadline = start + timeout_s
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr
        )
        assert process.stdout
        try:
            for chunk in _chunks(process.stdout.fileno(), deadline):
                watched.chunks.append((time.monotonic() - start, chunk))
            with contextlib.suppress(subprocess.TimeoutExpired):
                watched.status = process.wait(timeout=max(0.1, deadline - time.monotonic()))
            watched.end_s = time.monotonic() - start
        finally:
            process.kill()  # no effect on one that has ended
            process.wait()
            process.stdout.close()
        stderr.seek(0)
        watched.stderr = stderr.read().decode(errors="replace")
    return watched


def _chunks(descriptor: int, deadline: float) -> Iterator[bytes]:
    """What comes, until nobody writes any more or the time is up."""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while selector.select(timeout=max(0.0, deadline - time.monotonic())):
            chunk = os.read(descriptor, 65536)
            if not chunk:
                return
            yield chunk


def boot(image: Path, accel: str, options: str, flags: Sequence[str] = ()) -> Run:
    """Boots the image once. A run that did not complete is told by its `problem`."""
    with tempfile.TemporaryDirectory(prefix="hypertick-bench-") as folder:
        log = Path(folder) / "records.jsonl"
        watched = watch(hypertick_qemu.command(image, accel, options, "stdio",
                                               hypertick_qemu.file_backend(log), flags))  # fmt: skip
        text = log.read_text(errors="replace") if log.exists() else ""
        # As one would type it again: the folder is about to go.
        watched.command = [word.replace(folder, ".") for word in watched.command]
    run = records.read(text, "records")[-1]
    return Run(watched, run, problem_of(watched, run), text)


def problem_of(watched: Watched, run: records.Run) -> Optional[str]:
    """Why the run did not complete as it should have; None if it did."""
    if watched.status is None:
        return f"no end within {TIMEOUT_S} s"
    if watched.status not in hypertick_qemu.VERDICTS:
        return f"QEMU ended with status {watched.status}: {watched.stderr.strip()[-200:]}"
    if not watched.chunks:
        return "no byte came from COM1"
    if run.problems:
        return run.problems[0]
    if not run.measurement("all"):
        return "no measurement record of `all`"
    if run.result == "fail":
        return f"the run ended in FAIL: {run.reason}"
    if run.records("step"):
        return "a step was proven, where nothing stepped"
    return None


@contextlib.contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """That many processes that keep a core busy each."""
    loops = [subprocess.Popen([sys.executable, "-c", BUSY_LOOP]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
        for loop in loops:
            loop.wait()


@dataclass
class Rate:
    """The truth: the host's TSC rate, proven to have been in [low, high] all the time."""

    low_hz: float
    high_hz: float
    hz: float
    wander_ppb: float  # by so much it was not constant, and low and high are that much apart more

    def error_ppb(self, hz: float) -> float:
        return (hz - self.hz) / self.hz * PPB

    def excluded_by(self, low_hz: float, high_hz: float) -> bool:
        """Does the enclosure exclude every rate that the truth can have been?"""
        return high_hz < self.low_hz or low_hz > self.high_hz


class Truth:
    """Measures the truth from its construction to `rate`."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen(
            [str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def rate(self) -> Rate:
        output, _ = self._process.communicate(timeout=10)
        low_hz, high_hz, hz, wander_ppb = map(float, output.split())
        margin_hz = hz * wander_ppb / PPB
        return Rate(low_hz - margin_hz, high_hz + margin_hz, hz, wander_ppb)

    def __enter__(self) -> Truth:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
