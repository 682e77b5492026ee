#!/usr/bin/python3
"""Measures hypertick against the truth: how accurate, how tight, how fast, how large.

docs/bench.md says what every number is and how it is measured. Nothing here passes or fails by
time. The exit status is 1 only if a run of the image did not complete, or if the truth lay outside
an enclosure that the image had proven; then what it takes to reproduce that is kept.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Optional

import accuracy
import compare
import doors
import elf
import instructions
import peers
import vcpus
from accuracy import BUSY_LOOPS, WINDOWS_MS, Sample
from guest import PPB, ROOT, Rate, Run, Truth, boot, busy_loops, hypertick_qemu, watch
from tables import median, number, spread, table

BUILD = ROOT / "build/bench"
HERE = Path(__file__).resolve().parent

RUNS, QUICK_RUNS = 20, 3
SPEED_WINDOW_MS = 100
SPEED_OPTIONS = f"window={SPEED_WINDOW_MS}ms precision=0"
ONE_PPM_OPTIONS = "window=10s precision=1ppm"
ONE_PPM_PPB = 1000


class Bench:
    """The runs, what they gave, and what went wrong."""

    def __init__(self, image: Path, accel: str, runs: int, linux: Optional[peers.LinuxGuest]):
        self.image, self.accel, self.runs, self.linux = image, accel, runs, linux
        self.samples: list[Sample] = []
        self.linux_runs: list[tuple[int, peers.LinuxRun]] = []  # with the number of busy loops
        self.one_ppm: list[Run] = []
        self.floors_s: list[float] = []
        self.speeds: list[Run] = []
        self.silents_s: list[float] = []
        self.complete: list[Run] = []
        self.problems: list[str] = []

    def measure(self) -> None:
        """Every kind of run, interleaved with those that it is compared with."""
        boot(self.image, self.accel, SPEED_OPTIONS)  # brings files into the host's cache
        for busy in BUSY_LOOPS:
            with busy_loops(busy):
                for index in range(self.runs):
                    progress(f"accuracy, {busy} busy loops: round {index + 1} of {self.runs}")
                    self._round(busy)
        for index in range(self.runs):
            progress(f"time to prove 1 ppm: run {index + 1} of {self.runs}")
            self._keep(self.one_ppm, boot(self.image, self.accel, ONE_PPM_OPTIONS))
        for index in range(self.runs):
            progress(f"start and end: pair {index + 1} of {self.runs}")
            self._pair()
        progress("")

    def _round(self, busy: int) -> None:
        for window_ms in WINDOWS_MS:
            load = os.getloadavg()[0]
            run = boot(self.image, self.accel, f"window={window_ms}ms precision=0")
            if self._check(run):
                self.samples.append(Sample(run, window_ms, busy, load))
        if self.linux:
            self.linux_runs.append((busy, peers.boot(self.linux, self.accel)))

    def _pair(self) -> None:
        """The floor, the image, and the image with a port that leads nowhere: neighbours in time, so
        that they can be compared."""
        floor = watch(hypertick_qemu.command(BUILD / "floor.elf", self.accel, "", "stdio", "null"))
        run = boot(self.image, self.accel, SPEED_OPTIONS)
        silent = watch(hypertick_qemu.command(self.image, self.accel, SPEED_OPTIONS, "null"))
        if floor.status != 33:
            self.problems.append(f"the floor image: QEMU ended with status {floor.status}")
        elif silent.status not in hypertick_qemu.VERDICTS:
            self.problems.append(f"without output: QEMU ended with status {silent.status}")
        elif self._check(run):
            self.floors_s.append(floor.end_s)
            self.speeds.append(run)
            self.silents_s.append(silent.end_s)

    def _keep(self, runs: list[Run], run: Run) -> None:
        if self._check(run):
            runs.append(run)

    def _check(self, run: Run) -> bool:
        if run.problem:
            self.report(run, run.problem)
            return False
        self.complete.append(run)
        return True

    def report(self, run: Run, problem: str) -> None:
        """Keeps what it takes to reproduce a failure."""
        stem = BUILD / f"failed/{len(self.problems) + 1}"
        run.save(stem)
        self.problems.append(f"{problem}\n    kept: {os.path.relpath(stem)}.command, .jsonl, .txt")

    def judge(self, truth: Rate) -> None:
        for run in self.complete:
            lies = accuracy.lies(accuracy.judge_run(run, truth))
            proven = [
                f"{clock}: {record['low_hz']} to {record['high_hz']} Hz"
                for clock, record in run.measurements().items()
                if clock in lies
            ]
            if proven:
                self.report(
                    run,
                    f"the truth, {truth.low_hz:.3f} to {truth.high_hz:.3f} Hz, is OUTSIDE what was"
                    f" proven by {'; '.join(proven)}",
                )


def progress(text: str) -> None:
    """On a terminal only: one line that is overwritten."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def host() -> dict[str, Any]:
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    version = subprocess.run(
        [hypertick_qemu.QEMU, "--version"], capture_output=True, text=True, check=True
    )
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "linux": platform.release(),
        "qemu": version.stdout.splitlines()[0],
        "load": os.getloadavg()[0],
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }


def speed(bench: Bench) -> dict[str, list[float]]:
    """In milliseconds, in pairs: the same index is the same pair."""
    return {
        "floor_ms": [1e3 * floor for floor in bench.floors_s],
        "first_byte_ms": [1e3 * run.watched.first_s for run in bench.speeds],
        "last_byte_ms": [1e3 * run.watched.last_s for run in bench.speeds],
        "end_ms": [1e3 * run.watched.end_s for run in bench.speeds],
        "silent_end_ms": [1e3 * silent for silent in bench.silents_s],
    }


def text_speed(times: dict[str, list[float]]) -> str:
    lines = [("floor image: start to exit", spread(times["floor_ms"]), "", "")]
    for name, what, window_ms in (
        ("first_byte_ms", "hypertick: start to first byte", 0),
        ("last_byte_ms", f"hypertick: start to last byte, less {SPEED_WINDOW_MS} ms window",
         SPEED_WINDOW_MS),
        ("end_ms", f"hypertick: start to exit, less {SPEED_WINDOW_MS} ms window", SPEED_WINDOW_MS),
        ("silent_end_ms", "the same, text to nowhere and no records", SPEED_WINDOW_MS),
    ):  # fmt: skip
        own = [value - window_ms for value in times[name]]
        pairs = list(zip(own, times["floor_ms"]))
        lines.append(
            (
                what,
                spread(own),
                spread([value - floor for value, floor in pairs]),
                spread([value / floor for value, floor in pairs], 2),
            )
        )
    return table(("ms: median [least .. most]", "time", "less floor", "times floor"), lines)


def one_ppm(runs: list[Run]) -> dict[str, Any]:
    """Of the runs that proved it; how many there were says how many did not."""
    proved = [run for run in runs if _half_width_ppb(run.measurements()["all"]) <= ONE_PPM_PPB]
    return {
        "runs": len(runs),
        "window_ms": [run.measurements()["all"]["window_ns"] / 1e6 for run in proved],
        "end_ms": [run.watched.end_s * 1e3 for run in proved],
    }


def _half_width_ppb(record: dict[str, Any]) -> float:
    if record["low_hz"] is None:
        return float("inf")
    low_hz, high_hz = float(record["low_hz"]), float(record["high_hz"])
    return (high_hz - low_hz) / (high_hz + low_hz) * PPB


def text_one_ppm(found: dict[str, Any]) -> str:
    return (
        f"  proved in {len(found['window_ms'])} of {found['runs']} runs;"
        f" window {spread(found['window_ms'])} ms,"
        f" QEMU start to exit {spread(found['end_ms'])} ms"
    )


def linux_row(busy: int, runs: list[peers.LinuxRun], truth: Rate) -> dict[str, Any]:
    def error_ppb(hz: Optional[float]) -> Optional[float]:
        return None if hz is None else truth.error_ppb(hz)

    return {
        "busy": busy,
        "runs": [
            {
                "detected_ppb": error_ppb(run.detected_hz),
                "detected_s": run.detected_s,
                "refined_ppb": error_ppb(run.refined_hz),
                "refined_s": run.refined_s,
                "method": run.method,
                "end_s": run.watched.end_s,
                "status": run.watched.status,
            }
            for run in runs
        ],
    }


def text_peers(package: str, ours: list[dict], linux: list[dict]) -> str:
    """Errors in ppm. The time is from the start of QEMU to the value, for us to the exit."""
    heads = ("value", "busy", "gave it", "|error| ppm median", "worst", "proven ppm, worst",
             "seconds: median [least .. most]")  # fmt: skip
    lines = []
    for row in linux:
        runs = row["runs"]
        for kind in ("detected", "refined"):
            found = [run for run in runs if run[f"{kind}_ppb"] is not None]
            error = [abs(run[f"{kind}_ppb"]) / 1e3 for run in found]
            lines.append(
                (
                    f"Linux, {kind}",
                    str(row["busy"]),
                    f"{len(found)}/{len(runs)}",
                    number(median(error), 3) if error else "-",
                    number(max(error), 3) if error else "-",
                    "states none",
                    spread([run[f"{kind}_s"] for run in found], 3),
                )
            )
        for own in (own for own in ours if own["busy"] == row["busy"]):
            error = [value / 1e3 for value in accuracy.errors(own)]
            half = [value / 1e3 for value in accuracy.clock_values(own, accuracy.ALL, "half_ppb")]
            lines.append(
                (
                    f"hypertick, {own['window_ms']} ms",
                    str(own["busy"]),
                    f"{len(error)}/{len(own['runs'])}",
                    number(median(error), 3) if error else "-",
                    number(max(error), 3) if error else "-",
                    number(max(half), 3) if half else "-",
                    spread([run["end_s"] for run in own["runs"]], 3),
                )
            )
    return f"Beside {package}\n" + table(heads, lines)


COUNTS = (
    ("firmware", "firmware and loader, to the image's entry"),
    ("unpacked", "entry to the kernel's entry"),
    ("kernel_main", "entry to kernel_main"),
    ("first_byte", "entry to the first byte on COM1"),
    ("first_line", "entry to the end of the first line"),
    ("window", "entry to the beginning of the window"),
    ("all_but_window", "entry to the end, less the window"),
    ("scan", "detection: the scans of CPUID"),
    ("scan_wide", "the same with scan=wide"),
    ("audit", "audit: the second scan and the checks"),
    ("audit_wide", "the same with scan=wide"),
    ("scan_cpuid", "CPUID executed by detection and claims"),
    ("scan_cpuid_wide", "the same with scan=wide"),
    ("audit_cpuid", "CPUID executed by the audit"),
    ("audit_cpuid_wide", "the same with scan=wide"),
    ("reading", "one reading of one clock, and all that is made of it"),
    ("reading_monitor", "the same with duration=, ten windows"),
)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Measures hypertick against the truth; docs/bench.md explains.",
        epilog="PEERS=1 in the environment is the same as --peers.",
    )
    parser.add_argument("--runs", type=int, default=RUNS, help=f"runs of each kind ({RUNS})")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_RUNS} runs of each kind")
    parser.add_argument("--accel", choices=("tcg", "kvm"), default="tcg")
    parser.add_argument("--image", type=Path, default=ROOT / "build/hypertick.elf")
    parser.add_argument("--peers", action="store_true",
                        default=os.environ.get("PEERS", "") not in ("", "0"),
                        help="boot the distribution's Linux kernel beside it")  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number to FILE")
    parser.add_argument("--compare", type=Path, nargs=2, metavar="FILE",
                        help="measure nothing: print two such files side by side")  # fmt: skip
    parsed = parser.parse_args()
    if parsed.quick:
        parsed.runs = QUICK_RUNS
    if parsed.runs < 1:
        parser.error(f"--runs {parsed.runs}: expected at least 1")
    return parsed


def build() -> None:
    """The truth program and the floor image; the image itself is make's."""
    BUILD.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(BUILD / "failed", ignore_errors=True)
    for command in (
        ["clang", "-O2", f"{HERE}/truth.c", "-o", f"{BUILD}/truth"],
        ["nasm", "-f", "elf64", f"{HERE}/floor.asm", "-o", f"{BUILD}/floor.o"],
        [
            "ld.lld",
            "-Ttext=0x100000",
            "-e",
            "entry",
            f"{BUILD}/floor.o",
            "-o",
            f"{BUILD}/floor.elf",
        ],
    ):
        subprocess.run(command, check=True)


def copy(image: Path, folder: Path) -> Path:
    """A copy, since `make` may replace the image while it is being measured; with its kernel, whose
    addresses the count of instructions needs."""
    shutil.copy(image.with_suffix(".debug"), folder / "hypertick.debug")
    return Path(shutil.copy(image, folder / "hypertick.elf"))


def run(args: argparse.Namespace) -> int:
    build()
    image = copy(args.image, BUILD)
    linux = peers.prepare(BUILD / "peers") if args.peers else None
    bench = Bench(image, args.accel, args.runs, linux)
    about = host()
    print(f"hypertick in {about['qemu']}, {args.accel}, {args.runs} runs of each kind\n"
          f"on {about['cpu']}, {about['cores']} cores, Linux {about['linux']},"
          f" load average {about['load']:.2f} at the start", flush=True)  # fmt: skip
    with Truth(BUILD / "truth") as measured:
        bench.measure()
        truth = measured.rate()
    bench.judge(truth)

    program = elf.read(image)
    result: dict[str, Any] = {
        "version": 1,
        "host": about | {"load_at_end": os.getloadavg()[0]},
        "accel": args.accel,
        "runs": args.runs,
        "truth": vars(truth),
        "accuracy": accuracy.summarise(bench.samples, truth),
        "one_ppm": one_ppm(bench.one_ppm),
        "speed": speed(bench),
        "image": {
            "file_bytes": program.file_bytes,
            "memory_bytes": program.memory_bytes,
            "sha256": hashlib.sha256(image.read_bytes()).hexdigest(),
        },
    }
    if linux:
        result["peers"] = {
            "package": linux.package,
            "rows": [
                linux_row(busy, [r for b, r in bench.linux_runs if b == busy], truth)
                for busy in BUSY_LOOPS
            ],
        }
    try:
        result["instructions"] = instructions.count(image)
    except instructions.CountFailed as error:
        bench.problems.append(f"counting instructions: {error}")
    result["vcpus"] = vcpus.measure(image, args.accel, bench.problems)
    result["doors"] = doors.measure(ROOT / "build", args.accel, args.runs, bench.problems)
    result["problems"] = bench.problems
    show(result)
    if args.json:
        args.json.write_text(json.dumps(result, indent=1, default=float) + "\n")
        print(f"\nEvery number: {args.json}")
    return 1 if bench.problems else 0


def show(result: dict[str, Any]) -> None:
    truth, image = result["truth"], result["image"]
    half_ppb = (truth["high_hz"] - truth["low_hz"]) / 2 / truth["hz"] * PPB
    print(f"truth: {truth['hz']:.1f} Hz +-{half_ppb:.1f} ppb;"
          f" it wandered by {truth['wander_ppb']:.1f} ppb\n")  # fmt: skip
    print("Combined result, in ppb; busy: loops that run beside QEMU")
    print(accuracy.text_all(result["accuracy"]))
    print("\nBy clock, in ppb, all loads together; limit: narrowest bracket / window")
    print(accuracy.text_clocks(result["accuracy"]))
    print("\nTime to prove 1 ppm")
    print(text_one_ppm(result["one_ppm"]))
    print("\nStart and end, against an image that only writes the exit port; pairs, in turn")
    print(text_speed(result["speed"]))
    print(f"\nImage: {image['file_bytes']:,} bytes of file, {image['memory_bytes']:,} of memory")
    if counts := result.get("instructions"):
        print("\nInstructions, exactly")
        print(table((), [(text, f"{counts[name]:,}") for name, text in COUNTS if name in counts]))
    print("\nOther vCPUs: median [least .. most]")
    print(vcpus.text(result["vcpus"]))
    print("\nDoors: QEMU's start to the first byte of the report (ISO and disk only where `make image` made them)")
    print(doors.text(result["doors"]))
    if "peers" in result:
        print()
        print(text_peers(result["peers"]["package"], result["accuracy"], result["peers"]["rows"]))
    print(f"\nload average {result['host']['load_at_end']:.2f} at the end")
    for problem in result["problems"]:
        print(f"PROBLEM  {problem}")


def main() -> int:
    args = arguments()
    # So that `finally` ends QEMU and the busy loops when somebody ends this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: ended by SIGTERM"))
    if args.compare:
        before, after = (json.loads(path.read_text()) for path in args.compare)
        print(compare.text(before, after))
        return 0
    if not args.image.exists():
        sys.exit(f"bench: there is no {args.image}: `make` builds it")
    try:
        return run(args)
    except peers.PeersUnavailable as error:
        sys.exit(f"bench: PEERS: {error}")
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")


if __name__ == "__main__":
    sys.exit(main())
