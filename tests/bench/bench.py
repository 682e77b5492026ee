#!/usr/bin/env python3
"""Measures hypertick: how accurate it is, how tight, how fast, how large. docs/bench.md explains.

Ground truth is the host's TSC rate per second of CLOCK_MONOTONIC, measured by tests/bench/truth.c over
the whole run. Nothing here passes or fails by time; the exit status is 1 only if a guest did not complete
or if the truth lay outside a proven enclosure.
"""
import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Iterator

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import hypertick_qemu  # noqa: E402

BUILD = ROOT / "build" / "bench"
IMAGE = ROOT / "build" / "hypertick.elf"
TIMEOUT_S = 120
PPB = 1e9


class Failed(Exception):
    """A guest run that did not complete."""


def build() -> None:
    """The truth program and the floor image."""
    BUILD.mkdir(parents=True, exist_ok=True)
    here = Path(__file__).parent
    subprocess.run(["clang", "-O2", here / "truth.c", "-o", BUILD / "truth"], check=True)
    subprocess.run(["nasm", "-f", "elf64", here / "floor.asm", "-o", BUILD / "floor.o"], check=True)
    subprocess.run(["ld.lld", "-Ttext=0x100000", "-e", "entry", BUILD / "floor.o", "-o",
                    BUILD / "floor.elf"], check=True)


@contextlib.contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """That many processes that do nothing as fast as they can."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def boot(options: str, accel: str, image: Path = IMAGE) -> dict:
    """Boots once; gives the records by kind and the times of the first byte and the end, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        records = Path(folder) / "records"
        command = hypertick_qemu.command(image, accel, options,
                                         com2=hypertick_qemu.file_backend(records))
        start = time.monotonic()
        guest = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        assert guest.stdout and guest.stderr
        first = guest.stdout.read(1)
        first_s = time.monotonic() - start
        try:
            guest.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            guest.kill()
            guest.communicate()
            raise Failed(f"no end within {TIMEOUT_S} s: {' '.join(command)}") from None
        end_s = time.monotonic() - start
        if guest.returncode not in hypertick_qemu.VERDICTS:
            raise Failed(f"status {guest.returncode}: {' '.join(command)}")
        lines = [json.loads(line) for line in records.read_text().splitlines()]
    by_kind: dict = {}
    for record in lines:
        by_kind.setdefault(record["record"], []).append(record)
    return {"records": by_kind, "first_s": first_s if first else None, "end_s": end_s}


def row(run: dict, clock: str) -> dict:
    """The measurement record of a clock, or of `all`."""
    return next(r for r in run["records"]["measurement"] if r["clock"] == clock)


class Truth:
    """The host's TSC rate, from the construction to close()."""

    def __init__(self) -> None:
        self.process = subprocess.Popen([BUILD / "truth"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def close(self) -> tuple[float, float, float]:
        """The lowest and highest rate that it can have been, and the best guess, in hertz."""
        out, _ = self.process.communicate("", timeout=60)
        low, high, hertz = map(float, out.split())
        return low, high, hertz


def spread(values: list[float], places: int = 1) -> str:
    """Median and extremes."""
    return (f"{statistics.median(values):.{places}f} "
            f"[{min(values):.{places}f} .. {max(values):.{places}f}]")


def accuracy(runs: int, accel: str) -> tuple[list[dict], list[str]]:
    """|error|, half-width and whether truth was inside, by window and load."""
    results: list[dict] = []
    outside: list[str] = []
    for window_ms in (10, 100, 1000):
        for loops in (0, 1, 2):
            with busy_loops(loops):
                truth = Truth()
                boots = [boot(f"window={window_ms}ms precision=0", accel) for _ in range(runs)]
                low, high, hertz = truth.close()
            name = f"{window_ms} ms, {loops} busy"
            half, ratio = [], []
            inside = 0
            for run in boots:
                everything = row(run, "all")
                rows = run["records"]["measurement"]
                # The truth is an interval, too: it is outside only if all of it is.
                bad = [r["clock"] for r in rows if r["low_hz"] is not None
                       and (high < r["low_hz"] or low > r["high_hz"])]
                inside += not bad
                if bad:
                    outside.append(f"{name}: {', '.join(bad)}: {everything}, truth {low} .. {high}")
                half.append((everything["high_hz"] - everything["low_hz"]) / 2 / hertz * PPB)
                ratio += [(r["raw_high_hz"] - r["raw_low_hz"]) / 2 / hertz * PPB / r["limit_ppb"]
                          for r in rows if r["clock"] != "all" and r["raw_low_hz"] is not None]
            error = [abs(row(run, "all")["estimate_hz"] - hertz) / hertz * PPB for run in boots]
            results.append({
                "name": name, "runs": runs, "inside": inside, "truth_hz": hertz,
                "truth_half_ppb": (high - low) / 2 / hertz * PPB,
                "error_ppb": error, "half_width_ppb": half, "limit_ratio": ratio,
            })
            print(f"  {name:15s} |error| ppb {statistics.median(error):8.1f} median "
                  f"{max(error):8.1f} max   half-width ppb {statistics.median(half):8.1f}   "
                  f"/limit {statistics.median(ratio):.2f}   inside {inside}/{runs}", flush=True)
    return results, outside


def one_ppm(runs: int, accel: str) -> list[float]:
    """The window that it takes to prove 1 ppm, in milliseconds."""
    return [row(boot("window=10s precision=1ppm", accel), "all")["window_ns"] / 1e6
            for _ in range(runs)]


def speed(runs: int, accel: str) -> dict:
    """Times against the floor image, A B A B in one go: in milliseconds."""
    floor, first, rest = [], [], []
    boot("window=10ms precision=0", accel)
    for _ in range(runs):
        start = time.monotonic()
        subprocess.run(hypertick_qemu.command(BUILD / "floor.elf", accel, com1=None), check=False,
                       stdin=subprocess.DEVNULL, timeout=TIMEOUT_S)
        floor.append((time.monotonic() - start) * 1e3)
        run = boot("window=10ms precision=0", accel)
        first.append(run["first_s"] * 1e3)
        rest.append(run["end_s"] * 1e3 - row(run, "all")["window_ns"] / 1e6)
    return {"floor_ms": floor, "first_byte_ms": first, "end_less_window_ms": rest}


def instructions() -> dict:
    """Under icount an instruction takes a nanosecond, and the TSC counts nanoseconds."""
    run = boot("window=10ms precision=0", "icount")
    everything = row(run, "all")
    return {
        "firmware and loader, to the entry of the kernel": run["records"]["start"][0]["tsc"],
        "entry to the beginning of the window": everything["began_ns"],
        "entry to the end, less the window":
            run["records"]["end"][0]["guest_ns"] - everything["window_ns"],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20, help="runs of each kind (20)")
    parser.add_argument("--accel", choices=("tcg", "kvm"), default="tcg")
    parser.add_argument("--json", type=Path, help="write all numbers to this file")
    arguments = parser.parse_args()
    build()
    runs, accel = arguments.runs, arguments.accel
    print(f"hypertick on {accel}, {runs} runs each, load average {os.getloadavg()[0]:.1f} at start\n"
          f"\nAccuracy of `all` (clocks: {', '.join(clocks(accel))})", flush=True)
    results, outside = accuracy(runs, accel)
    report = {"accel": accel, "accuracy": results}
    report["one_ppm_ms"] = one_ppm(runs, accel)
    print(f"\nTime to prove 1 ppm     {spread(report['one_ppm_ms'])} ms", flush=True)
    report["speed"] = times = speed(runs, accel)
    floor = statistics.median(times["floor_ms"])
    print(f"QEMU start to end, floor image            {spread(times['floor_ms'])} ms")
    for key, name in (("first_byte_ms", "QEMU start to the first byte"),
                      ("end_less_window_ms", "QEMU start to the end, less the window")):
        median = statistics.median(times[key])
        print(f"{name:41s} {spread(times[key])} ms: floor {median - floor:+.1f} ms, "
              f"x{median / floor:.2f}")
    report["image_bytes"] = IMAGE.stat().st_size
    print(f"Image {report['image_bytes']} bytes")
    report["instructions"] = instructions()
    for name, count in report["instructions"].items():
        print(f"Instructions, {name:48s} {count:>12,}")
    if os.environ.get("PEERS"):
        import peers
        report["peers"] = peers.compare(results)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    for line in outside:
        print(f"OUTSIDE  {line}")
    return 1 if outside else 0


def clocks(accel: str) -> list[str]:
    """The clocks that take part on this machine."""
    run = boot("window=10ms", accel)
    return [r["clock"] for r in run["records"]["clock"] if r["status"] in ("live", "coarse")]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as error:
        sys.exit(f"bench: {error}")
