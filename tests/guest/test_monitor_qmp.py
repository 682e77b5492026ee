"""The monitor, while its machine is stopped, saved and loaded, or migrated; and for long.

docs/monitor-stop-save-migrate.md has what each does to the clocks. The runs last some seconds each and
mostly wait, so all of them run side by side. That keeps the host busy, too: nothing here may depend
on how long anything takes.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

import soak
from conftest import kvm_problem
from qemu import FAIL, PASS, Run, hypertick_qemu
from qmp import Machine

# Migration and savevm refuse an invariant TSC.
KVM_CPU = hypertick_qemu.KVM_CPU.replace("+invtsc", "-invtsc")

WINDOWS, WINDOW_MS = 14, 250
OPTIONS = f"duration={WINDOWS * WINDOW_MS}ms window={WINDOW_MS}ms precision=0 checks=off cpus=1"
# By then the CMOS clock has ticked once, and it will again.
ACT_AFTER = b'"window":5,'
STOP_SECONDS = 0.5
SOAK_SECONDS = 20


@dataclass
class Stood:
    """How long the guest did not run, or what was taken back: between these two, in ns."""

    least: int
    most: int

    def agrees(self, step) -> bool:
        return step["low_ns"] <= self.most and self.least <= step["high_ns"]


def stop(machine) -> Stood:
    before = time.monotonic_ns()
    machine.stop()
    stopped = time.monotonic_ns()
    time.sleep(STOP_SECONDS)
    least = time.monotonic_ns() - stopped
    machine.cont()
    return Stood(least, time.monotonic_ns() - before)


def load(machine) -> Stood:
    """Saves it, lets it run on, and takes that back."""
    before = time.monotonic_ns()
    machine.stop()
    machine.save()
    stopped = time.monotonic_ns()
    lengths = {port: len(machine.output(port)) for port in ("com1", "com2")}
    machine.cont()
    # Something that will not have been.
    machine.wait_for(b'"window":', beyond=lengths["com2"])
    machine.stop()
    least = time.monotonic_ns() - stopped
    machine.load()
    machine.take_back(lengths)
    machine.cont()
    return Stood(least, time.monotonic_ns() - before)


def migrate(machine) -> Stood:
    before = time.monotonic_ns()
    machine.migrate()
    return Stood(0, time.monotonic_ns() - before)


def watch(act, accel) -> tuple[Stood, Run]:
    with Machine(accel=accel, cpu=KVM_CPU if accel == "kvm" else None, disk=act is not stop,
                 options=OPTIONS) as machine:  # fmt: skip
        machine.wait_for(ACT_AFTER)
        return act(machine), machine.finish()


@pytest.fixture(scope="module")
def runs():
    """Futures of (Stood, Run), by (accelerator, act), and of the soak."""
    with ThreadPoolExecutor(8) as pool:
        futures = {("tcg", act): pool.submit(watch, act, "tcg") for act in (stop, load, migrate)}
        if not kvm_problem():
            for act in (stop, load, migrate):
                futures["kvm", act] = pool.submit(watch, act, "kvm")
        futures["soak"] = pool.submit(soak.soak, SOAK_SECONDS)
        yield futures


def check_windows(run: Run) -> None:
    """Nothing is lost: each window was told, once, and begins where the one before it ended."""
    windows = [m for m in run.records.records("measurement") if m["window"] is not None]
    assert [window["window"] for window in windows] == list(range(WINDOWS))
    for one, next in zip(windows, windows[1:]):
        assert abs(one["at_ns"] + one["window_ns"] - next["at_ns"]) <= 1000
    (monitor,) = run.records.records("monitor")
    assert monitor["windows"] == WINDOWS
    # All of them agree on one rate, whatever happened in between.
    whole = run.records.measurement("all")
    assert whole["status"] == "ok"
    for window in windows:
        if window["status"] == "ok":
            assert window["low_hz"] <= whole["high_hz"] and whole["low_hz"] <= window["high_hz"]


def steps(run: Run, kind: str) -> list:
    return [step for step in run.records.records("step") if step["kind"] == kind]
