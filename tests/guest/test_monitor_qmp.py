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

# Where every instruction is emulated, a window's report takes as long as 400 ms.
WINDOW_MS = {"tcg": 250, "kvm": 1000}
WINDOWS = {"tcg": 14, "kvm": 18}
# By then the CMOS clock has ticked once, and it will again.
ACT_AFTER = {"tcg": b'"window":5,', "kvm": b'"window":2,'}
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
    """Saves it, lets it run on, and takes that back: the time for which it ran on."""
    machine.stop()
    machine.save()
    lengths = {port: len(machine.output(port)) for port in ("com1", "com2")}
    before = time.monotonic_ns()
    machine.cont()
    running = time.monotonic_ns()
    # Something that will not have been.
    machine.wait_for(b'"window":', count=3, beyond=lengths["com2"])
    least = time.monotonic_ns() - running
    machine.stop()
    stood = Stood(least, time.monotonic_ns() - before)
    machine.load()
    machine.take_back(lengths)
    machine.cont()
    return stood


def migrate(machine) -> Stood:
    before = time.monotonic_ns()
    machine.migrate()
    return Stood(0, time.monotonic_ns() - before)


def all_three(machine) -> Stood:
    """One after the other, with time in between for the CMOS clock: the stop at least."""
    before = time.monotonic_ns()
    stood = stop(machine)
    machine.wait_for(b'"window":', count=3, beyond=len(machine.output()))
    load(machine)
    machine.wait_for(b'"window":', count=3, beyond=len(machine.output()))
    migrate(machine)
    return Stood(stood.least, time.monotonic_ns() - before)


def watch(act, accel) -> tuple[Stood, Run]:
    window_ms = WINDOW_MS[accel]
    options = f"window={window_ms}ms duration={WINDOWS[accel] * window_ms}ms precision=0 checks=off cpus=1"
    with Machine(accel=accel, cpu=KVM_CPU if accel == "kvm" else None, disk=act is not stop,
                 options=options) as machine:  # fmt: skip
        machine.wait_for(ACT_AFTER[accel])
        return act(machine), machine.finish()


@pytest.fixture(scope="module")
def runs():
    """Futures of (Stood, Run), by (accelerator, act), and of the soak."""
    with ThreadPoolExecutor(8) as pool:
        futures = {("tcg", act): pool.submit(watch, act, "tcg") for act in (stop, load, migrate)}
        # A guest may take long to boot there: one for all.
        if not kvm_problem():
            futures["kvm", all_three] = pool.submit(watch, all_three, "kvm")
        futures["soak"] = pool.submit(soak.soak, SOAK_SECONDS)
        yield futures


def check_windows(run: Run, asked_ms: int) -> None:
    """Nothing is lost: each window was told, once, and begins where the one before it ended."""
    windows = [m for m in run.records.records("measurement") if m["window"] is not None]
    assert [window["window"] for window in windows] == list(range(len(windows)))
    for one, next in zip(windows, windows[1:]):
        assert abs(one["at_ns"] + one["window_ns"] - next["at_ns"]) <= 1000
    (monitor,) = run.records.records("monitor")
    assert monitor["windows"] == len(windows)
    assert monitor["duration_ns"] >= asked_ms * 10**6 * 15 // 16
    # All of them agree on one rate, whatever happened in between.
    whole = run.records.measurement("all")
    assert whole["status"] == "ok"
    for window in windows:
        if window["status"] == "ok":
            assert window["low_hz"] <= whole["high_hz"] and whole["low_hz"] <= window["high_hz"]


def steps(run: Run, kind: str) -> list:
    return [step for step in run.records.records("step") if step["kind"] == kind]


def check_steps(run: Run) -> None:
    """No pause fails the run, and nothing but a step that says so does."""
    for step in steps(run, "pause") + steps(run, "rate"):
        assert step["fails"] is False, step
    grave = [step for step in steps(run, "step") if step["fails"]]
    # QEMU may be interrupted between the two clocks that it stops: then that step is real.
    if run.records.end["result"] == "fail":
        assert grave and "step" in run.records.end["reason"], run.records.end
        assert all("tsc" in step["clock"] and step["high_ns"] - step["low_ns"] < 10**6
                   for step in grave), grave  # fmt: skip
    else:
        assert run.status == PASS, run.records.end
        assert not grave


def largest(run: Run) -> int:
    """Of what was said to have stepped, in ns at most."""
    found = [max(-step["low_ns"], step["high_ns"]) for step in steps(run, "step")]
    return max(found, default=0)


def finished(runs, accel, act) -> tuple[Stood, Run]:
    if (accel, act) not in runs:
        pytest.skip(kvm_problem())
    stood, run = runs[accel, act].result()
    check_windows(run, WINDOWS[accel] * WINDOW_MS[accel])
    check_steps(run)
    return stood, run


def test_stop_in_tcg(runs):
    """TSC and devices stand still together: nothing but the CMOS clock knows of it."""
    stood, run = finished(runs, "tcg", stop)
    pauses = [step for step in steps(run, "pause") if step["clock"] == "rtc"]
    assert len(pauses) == 1
    assert stood.agrees(pauses[0]), (stood, pauses[0])
    assert largest(run) < stood.least // 10
    (monitor,) = run.records.records("monitor")
    assert monitor["monotonic"] and monitor["gaps"] >= 1
    assert monitor["longest_gap_ns"] * 2 >= stood.least


def test_load_in_tcg(runs):
    """What was taken back is a pause in which the TSC ran on and the devices did not."""
    stood, run = finished(runs, "tcg", load)
    pauses = {pause["clock"]: pause for pause in steps(run, "pause")}
    offsets = {offset["clock"]: offset for offset in run.records.records("offset")}
    if "tsc" in pauses:
        # To save and to load took so long that the CMOS clock went ahead of the TSC meanwhile.
        # No more than that: the guest may not have read its TSC to the last.
        assert 0 < pauses["tsc"]["low_ns"] <= stood.most, (stood, pauses)
    else:
        # If it went ahead by less than that, it says so later, at its next tick.
        assert [clock for clock in pauses if clock != "rtc"] == ["more than one clock"]
        hpet = offsets["hpet"]
        assert 0 < -hpet["high_ns"] <= stood.most, (stood, hpet)
        # It agrees with the TSC; that is how it is known.
        assert offsets["rtc"]["low_ns"] <= 0 <= offsets["rtc"]["high_ns"]
    assert largest(run) < stood.least // 10


def test_migration_in_tcg(runs):
    stood, run = finished(runs, "tcg", migrate)
    for pause in steps(run, "pause"):
        assert pause["low_ns"] <= stood.most, (stood, pause)
    assert largest(run) <= stood.most


def stood_still(run: Run, clock: str) -> tuple[int, int]:
    """By how much the clock stood against the TSC in all pauses together: between these, in ns."""
    least = most = 0
    for pause in steps(run, "pause"):
        found = [offset for offset in run.records.records("offset")
                 if (offset["clock"], offset["segment"]) == (clock, pause["segment"])]  # fmt: skip
        if pause["clock"] == "tsc":  # all the others by as much
            low, high = pause["low_ns"], pause["high_ns"]
        elif pause["clock"] == clock or found:
            low, high = (-(found or [pause])[0][end] for end in ("high_ns", "low_ns"))
        else:
            continue
        least, most = least + low, most + high
    return least, most


def test_under_kvm(runs):
    """The TSC runs on whatever happens, and the devices stand still meanwhile."""
    stood, run = finished(runs, "kvm", all_three)
    (monitor,) = run.records.records("monitor")
    assert monitor["monotonic"]
    # How many there are depends on how much was read between them: on a busy host, where a reading
    # can take milliseconds, they run into one another. But all that stood still is told.
    assert 1 <= monitor["pauses"] == len(steps(run, "pause"))
    least, most = stood_still(run, "hpet")
    assert stood.least <= most and least <= stood.most, (stood, least, most)
    # And by when the last of them had happened the first one had begun.
    first, last = (f([step[end] for step in steps(run, "pause")])
                   for f, end in ((min, "after_ns"), (max, "before_ns")))  # fmt: skip
    assert last - first >= stood.least
    # No claim changed, and each time they were looked at again.
    rereads = run.records.records("reread")
    assert rereads and not any(reread["changed"] for reread in rereads)
    # Right after a report, a gap is one only from a second on: then its step alone tells.
    gaps = [gap["length_ns"] for gap in run.records.records("gap")]
    assert not gaps or max(gaps) >= stood.least


def test_soak(runs):
    """Also what a busy host does to it: nothing, since the others of these tests run beside it."""
    result = runs["soak"].result()
    assert not result.problems, soak.summary(result)
