"""Under -icount virtual time is a count of instructions: the TSC runs at exactly 1 GHz of it."""

import pytest

from qemu import FAIL, PASS, boot

TRUE_HZ = 10**9


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm", "pc,hpet=off"])
def test_every_enclosure_holds_the_true_rate(machine):
    run = boot(machine=machine, accel="icount", options="window=50ms")
    assert run.status == PASS
    measured = [m for m in run.records.records("measurement") if m["status"] == "ok"]
    assert {"pit", "all"} <= {m["clock"] for m in measured}
    for measurement in measured:
        assert measurement["low_hz"] <= TRUE_HZ <= measurement["high_hz"], measurement
    assert run.records.records("step") == []


def test_what_is_proven_gets_better_with_the_window():
    widths = []
    for window in ("10ms", "100ms"):
        run = boot(accel="icount", options=f"window={window} precision=0")
        every = run.records.measurement("all")
        widths.append(every["high_hz"] - every["low_hz"])
    assert widths[1] < widths[0] / 5


@pytest.mark.parametrize("machine", ["pc", "microvm"])
def test_two_runs_give_the_same_bytes(machine):
    first, second = (
        boot(machine=machine, accel="icount", options="window=30ms debugcon=text") for _ in range(2)
    )
    assert first.com1 == second.com1
    assert first.com2 == second.com2
    assert first.debugcon == second.debugcon
    assert len(first.com2) > 1000


def test_all_but_the_window_is_short():
    """Ruling 12: 300 ms. An instruction takes 1 ns here, so that devices' time is not in it."""
    run = boot(machine="q35", accel="icount", options="window=50ms precision=0")
    window = run.records.measurement("hpet")["window_ns"]
    assert 49_000_000 < window < 60_000_000
    assert window < run.records.end["guest_ns"] < window + 300_000_000


@pytest.mark.parametrize("smp", [1, 8])
def test_a_smoke_run_stays_under_a_second(smp):
    """With every default, costs and vCPUs included: 36 and 793 ms of guest time."""
    run = boot(accel="icount", smp=smp)
    assert run.status == PASS
    assert run.records.records("bench") and len(run.records.records("vcpu")) == (smp if smp > 1 else 0)
    assert run.records.end["guest_ns"] < 10**9


def test_the_rate_can_be_expected():
    assert boot(accel="icount", options="window=30ms expect=tsc:1000000khz").status == PASS
    assert boot(accel="icount", options="window=30ms expect=tsc:1000200khz").status == FAIL
