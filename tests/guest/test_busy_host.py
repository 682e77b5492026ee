"""A host with twice as many busy processes as cores: the guest is preempted all the time, and nothing
that it proves may be wrong for that."""

import contextlib
import os
import subprocess
import sys

import pytest

from qemu import PASS, boot

# Ends when its parent does, however that ended.
BUSY_LOOP = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    pass"


@contextlib.contextmanager
def busy_host():
    loops = [
        subprocess.Popen([sys.executable, "-c", BUSY_LOOP]) for _ in range(2 * os.cpu_count())
    ]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@pytest.fixture(scope="module")
def run():
    with busy_host():
        return boot(smp=2, options="duration=1s window=125ms sections=all")


def test_it_passes(run):
    assert run.status == PASS, run.records.end["reason"]


def test_no_step_is_proven(run):
    assert [step for step in run.records.records("step") if step["fails"]] == []
    (monitor,) = run.records.records("monitor")
    assert monitor["monotonic"]


def test_what_the_windows_prove_agrees(run):
    """One true rate lies in all of their intervals, in those of the clocks, and in that of the whole run."""
    proven = [m for m in run.records.records("measurement") if m["low_hz"] is not None]
    assert len([m for m in proven if m["window"] is not None]) >= 2
    low = max(m["low_hz"] for m in proven)
    high = min(m["high_hz"] for m in proven)
    assert low <= high, [(m["clock"], m["window"], m["low_hz"], m["high_hz"]) for m in proven]


def test_the_vcpus_have_one_tsc(run):
    (vcpu,) = (v for v in run.records.records("vcpu") if v["apic_id"] != 0)
    assert vcpu["status"] == "up"
    assert vcpu["offset_low_cycles"] <= 0 <= vcpu["offset_high_cycles"]
    assert vcpu["warps"] == 0


def test_what_is_stolen_is_told(run):
    (disturbance,) = run.records.records("disturbance")
    assert disturbance["gaps"] > 0
    assert 0 < disturbance["longest_ns"] <= disturbance["lost_ns"] + disturbance["typical_cycles"]
