#!/usr/bin/python3
"""Lets the monitor run for long in QEMU, and checks that nothing creeps.

    tests/guest/soak.py --seconds 3600

What has to hold, whatever the host does meanwhile: every window that was asked for was reported, once,
and each begins where the one before it ended; no step was found; the whole run's enclosure shrinks as
1 / T and contradicts no window's; and QEMU's memory, which the guest's is a part of, does not grow.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from qmp import Machine
from qemu import PASS, Run

WINDOW_SECONDS = 1
POLL_SECONDS = 0.5
WARM_UP_WINDOWS = 3
GROWTH_KIB = 4096
# Of the least half-width that such readings can guarantee: docs/estimator.md, section 7.
LIMITS = 3
# Clocks that count on through the whole run, if no gap is too long for them.
FREE_RUNNING = ("hpet", "pmtimer")


@dataclass
class Soak:
    """What was seen, and what was wrong with it."""

    seconds: int
    run: Run
    resident_kib: list[int]  # of QEMU, from the end of the warm-up on
    problems: list[str] = field(default_factory=list)

    @property
    def windows(self) -> list[dict]:
        return [m for m in self.run.records.records("measurement") if m["window"] is not None]

    @property
    def monitor(self) -> dict:
        (monitor,) = self.run.records.records("monitor")
        return monitor

    def require(self, holds: bool, text: str) -> None:
        if not holds:
            self.problems.append(text)


def resident_kib(pid: int) -> Optional[int]:
    """Linux, Documentation/filesystems/proc.rst: VmRSS in kB; None when the process has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("VmRSS:")), None)


def half_width_ppb(measurement: dict, kind="raw_") -> float:
    low, high = (float(measurement[f"{kind}{end}_hz"]) for end in ("low", "high"))
    return (high - low) / (high + low) * 1e9


def soak(seconds: int, progress=lambda text: None, **machine) -> Soak:
    """Runs the monitor for so many seconds; `machine` is what qmp.Machine takes."""
    options = f"duration={seconds}s window={WINDOW_SECONDS}s precision=0"
    resident = []
    with Machine(options=options, **machine) as guest:
        guest.wait_for(b'"window":%d,' % (WARM_UP_WINDOWS - 1))
        end = time.monotonic() + 2 * seconds + 60
        while (kib := resident_kib(guest.pid)) is not None:
            resident.append(kib)
            progress(f"{guest.output().count(b'_hz') // 5} records, {kib} KiB")
            if time.monotonic() > end:
                raise AssertionError(f"no end in {2 * seconds + 60} s")
            time.sleep(POLL_SECONDS)
        result = Soak(seconds, guest.finish(), resident)
    check(result)
    return result


def check(soak: Soak) -> None:
    """Fills in the problems."""
    records, windows, monitor = soak.run.records, soak.windows, soak.monitor
    asked = soak.seconds // WINDOW_SECONDS
    numbers = [window["window"] for window in windows]
    # A window that a stall made longer may leave no time for the last one.
    longer_ns = sum(window["window_ns"] - WINDOW_SECONDS * 10**9 for window in windows)
    least = asked - max(0, longer_ns) // (WINDOW_SECONDS * 10**9)
    soak.require(least <= len(windows) <= asked, f"{asked} windows were asked for, {least} possible")
    soak.require(numbers == list(range(len(windows))), f"not one window after the other: {numbers[:9]}")
    soak.require(monitor["windows"] == len(windows), f"the monitor counted {monitor['windows']}")
    at_ns = 0
    for window in windows:
        if abs(window["at_ns"] - at_ns) > 1000:
            soak.problems.append(f"window {window['window']} began at {window['at_ns']}, not {at_ns}")
        at_ns = window["at_ns"] + window["window_ns"]
    soak.require(abs(monitor["duration_ns"] - at_ns) <= 1000, f"windows end after {at_ns} ns")
    soak.require(at_ns > (soak.seconds - WINDOW_SECONDS / 16) * 10**9, f"it lasted {at_ns} ns")

    steps = records.records("step")
    soak.require(not steps, f"steps where nothing stepped: {steps}")
    soak.require(monitor["monotonic"], "a clock went back")
    soak.require(monitor["stretches"] == 1, f"{monitor['stretches']} stretches of constant rate")
    soak.require(soak.run.status == PASS, f"{records.end['result']}: {records.end['reason']}")

    whole = records.measurement("all")
    for window in windows:
        if window["low_hz"] > whole["high_hz"] or window["high_hz"] < whole["low_hz"]:
            soak.problems.append(f"window {window['window']} contradicts the whole run")
    for clock in FREE_RUNNING:
        measured = records.measurement(clock)
        # Across a gap in which it may have gone round nothing can be drawn.
        if measured and measured["segments"] == 1:
            width = half_width_ppb(measured)
            # The limit is in whole ppb.
            most = LIMITS * (measured["limit_ppb"] + 1)
            soak.require(width <= most, f"{clock}: +-{width:.3f} ppb, expected {most} at most")
    if soak.resident_kib:
        grown = soak.resident_kib[-1] - soak.resident_kib[0]
        soak.require(grown <= GROWTH_KIB, f"QEMU grew by {grown} KiB: {soak.resident_kib[::20]}")


def summary(soak: Soak) -> str:
    whole = soak.run.records.measurement("all")
    first = soak.windows[0]
    resident = soak.resident_kib or [0]
    return "\n".join([
        f"windows        {len(soak.windows)} of {soak.seconds // WINDOW_SECONDS}",
        f"gaps           {soak.monitor['gaps']}, longest {soak.monitor['longest_gap_ns'] / 1e6:.3f} ms",
        f"enclosure      +-{half_width_ppb(first, ''):.3f} ppb in the first window,"
        f" +-{half_width_ppb(whole, ''):.3f} ppb in all",
        *(f"  raw {clock:8} +-{half_width_ppb(soak.run.records.measurement(clock)):.3f} ppb"
          for clock in FREE_RUNNING if soak.run.records.measurement(clock)),
        f"QEMU's memory  {resident[0]} KiB after {WARM_UP_WINDOWS} windows, {resident[-1]} KiB at the end,"
        f" {max(resident)} KiB at most",
        *soak.problems,
        f"{'FAILED' if soak.problems else 'passed'}: {soak.run.records.end['reason']}",
    ])  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=3600, help="how long the monitor runs")
    parser.add_argument("--accel", default="tcg", choices=("tcg", "kvm"))
    arguments = parser.parse_args()

    def progress(text: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()

    result = soak(arguments.seconds, progress, accel=arguments.accel)
    progress("")
    print(summary(result))
    return 1 if result.problems else 0


if __name__ == "__main__":
    sys.exit(main())
