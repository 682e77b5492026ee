"""Tests of what the bench concludes from runs, on runs that are made up."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import accuracy  # noqa: E402
import bench  # noqa: E402
import compare  # noqa: E402
import elf  # noqa: E402
import peers  # noqa: E402
from guest import Rate, Run, Watched, problem_of, records, watch  # noqa: E402

TRUTH = Rate(999_999_999.0, 1_000_000_001.0, 1_000_000_000.0, 0.0)


def measurement(low: float, high: float, clock: str = "all", status: str = "ok") -> dict:
    return {
        "record": "measurement", "clock": clock, "status": status, "limit_ppb": 50,
        "low_hz": Decimal(low), "high_hz": Decimal(high), "estimate_hz": Decimal(low + high) / 2,
        "raw_low_hz": Decimal(low), "raw_high_hz": Decimal(high), "window_ns": 10**7,
    }  # fmt: skip


def run_of(*measurements: dict) -> Run:
    return Run(Watched(["qemu"], 33, 0.5), records.Run("made up", list(measurements)), None)


def test_errors_and_widths_are_those_of_the_enclosure():
    judged = accuracy.judge(measurement(1e9 - 40, 1e9 + 80), TRUTH)
    assert (judged.error_ppb, judged.half_ppb, judged.ratio) == pytest.approx((20, 60, 1.2))
    assert judged.inside


@pytest.mark.parametrize(
    "low, high, lies",
    [
        (1e9 - 50, 1e9 + 50, []),
        (1e9 + 0.5, 1e9 + 50, []),  # some of what the truth can have been is inside
        (1e9 + 2, 1e9 + 50, ["all"]),
        (1e9 - 50, 1e9 - 2, ["all"]),
    ],
)
def test_an_enclosure_lies_if_it_excludes_all_that_the_truth_can_have_been(low, high, lies):
    assert accuracy.lies(accuracy.judge_run(run_of(measurement(low, high)), TRUTH)) == lies


def test_a_clock_that_the_run_calls_wrong_does_not_lie():
    odd = measurement(1e9 + 2, 1e9 + 50, "pit", "odd")
    assert accuracy.lies(accuracy.judge_run(run_of(odd), TRUTH)) == []


def test_a_lie_is_a_problem_and_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "BUILD", tmp_path)
    measured = bench.Bench(Path("image"), "tcg", 1, None)
    measured.complete = [run_of(measurement(1e9 - 9, 1e9 + 9)), run_of(measurement(2e9, 2e9 + 9))]
    measured.judge(TRUTH)
    assert len(measured.problems) == 1
    assert "OUTSIDE" in measured.problems[0]
    assert (tmp_path / "failed/1.command").read_text() == "qemu\n"


def test_a_run_without_records_is_a_problem():
    assert "no records" in problem_of(
        Watched(["qemu"], 33, 0.5, [(0.1, b"x")]), records.read("", "records")[-1]
    )


@pytest.mark.parametrize("status, word", [(None, "no end"), (0, "status 0"), (1, "status 1")])
def test_a_run_that_did_not_end_as_it_should_is_a_problem(status, word):
    run = run_of(measurement(1e9 - 9, 1e9 + 9)).records
    assert word in problem_of(Watched(["qemu"], status), run)


def test_a_silent_run_is_a_problem():
    run = run_of(measurement(1e9 - 9, 1e9 + 9)).records
    assert "COM1" in problem_of(Watched(["qemu"], 33), run)


def test_what_a_process_says_is_timed():
    watched = watch(["sh", "-c", "echo one; sleep 0.2; echo two; echo three >&2; exit 35"])
    assert (watched.output, watched.stderr, watched.status) == (b"one\ntwo\n", "three\n", 35)
    assert watched.first_s + 0.1 < watched.last_s <= watched.end_s


def test_a_process_that_does_not_end_is_ended():
    watched = watch(["sleep", "60"], timeout_s=0.1)
    assert watched.status is None
    assert watched.end_s < 30


def test_the_values_of_linux_are_found_with_their_times():
    log = (
        b"[    0.000000] tsc: Fast TSC calibration using PIT\r\n",
        b"[    0.000000] tsc: Detected 2596.123 MHz processor\r\n[    0.9] x\r\n",
        b"[    2.083148] tsc: Refined TSC clocksource calibration: 2596.102 MHz\r\n",
    )
    run = peers.parse(Watched([], 0, 3.0, [(0.4, log[0]), (0.5, log[1]), (2.4, log[2])]))
    assert (run.detected_hz, run.detected_s) == (pytest.approx(2596.123e6), 0.5)
    assert (run.refined_hz, run.refined_s) == (pytest.approx(2596.102e6), 2.4)
    assert run.method == "Fast TSC calibration using PIT"


def test_a_linux_that_gives_no_value_gives_none():
    run = peers.parse(Watched([], 0, 3.0, [(0.4, b"tsc: Marking TSC unstable due to clocksource")]))
    assert (run.detected_hz, run.refined_hz, run.method) == (None, None, None)


def test_a_bench_can_be_compared_with_itself():
    rows = accuracy.summarise(
        [accuracy.Sample(run_of(measurement(1e9 - 40, 1e9 + 80)), 10, 0, 0.0)], TRUTH
    )
    result = {
        "host": {"date": "today", "cpu": "some", "load": 0.0}, "accel": "tcg", "runs": 1,
        "accuracy": rows, "one_ppm": {"window_ms": [150.0]}, "image": {
            "file_bytes": 1, "memory_bytes": 2}, "speed": {
            "floor_ms": [60.0], "first_byte_ms": [61.0], "end_ms": [180.0]},
    }  # fmt: skip
    metrics = dict(compare.metrics(result))
    assert metrics["10 ms, 0 busy: |error| worst, ppb"] == pytest.approx(20)
    assert metrics["start to exit, less floor, ms"] == 120
    assert "1.000" in compare.text(result, result)


def test_only_runs_that_proved_one_ppm_count_as_such():
    close, far = run_of(measurement(1e9 - 999, 1e9 + 999)), run_of(
        measurement(1e9 - 1500, 1e9 + 900)
    )
    undecided = run_of(measurement(1e9, 1e9) | {"low_hz": None, "high_hz": None})
    found = bench.one_ppm([close, far, undecided])
    assert (found["runs"], found["window_ms"]) == (3, [10.0])


def test_what_is_no_elf64_is_refused(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"\x7fELF\x01" + bytes(100))
    with pytest.raises(ValueError, match="not an ELF64"):
        elf.read(file)
