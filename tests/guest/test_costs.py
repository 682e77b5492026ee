"""sections=: what accesses cost, what disturbs, and the TSC in HLT and under load."""

import pytest

from qemu import PASS, boot

ALL = "window=20ms sections=all"


@pytest.fixture(scope="module")
def icount():
    return [boot(accel="icount", options=ALL) for _ in range(2)]


def costs(run):
    return {record["access"]: record for record in run.records.records("bench")}


def check_table(run):
    table = costs(run)
    assert {"rdtsc", "rdtsc-fenced", "nop-16", "cpuid-0x1", "clock-pit", "rdmsr-0x10", "out-0x80"} <= set(table)
    for record in table.values():
        assert 1 <= record["samples"] <= 200
        assert record["min_cycles"] <= record["median_cycles"] <= record["p99_cycles"]
        assert record["min_ns"] <= record["median_ns"] <= record["p99_ns"]


def test_costs_are_exactly_reproducible_under_icount(icount):
    first, second = icount
    assert first.status == PASS
    assert first.com1 == second.com1
    assert first.com2 == second.com2
    check_table(first)
    assert costs(first) == costs(second)
    for access in ("rdtsc", "rdtsc-fenced", "nop-16", "cpuid-0x1"):
        record = costs(first)[access]
        assert record["min_cycles"] == record["p99_cycles"] > 0, access
    # An instruction is one nanosecond, and one cycle.
    nops = costs(first)["nop-16"]["min_cycles"] - costs(first)["rdtsc-fenced"]["min_cycles"]
    assert nops == 16


def test_the_tsc_counts_instructions_under_icount(icount):
    [tsc] = icount[0].records.records("tsc")
    assert tsc["rdtsc"] == "direct"
    assert tsc["one_ghz"] is True
    assert "1 GHz, as far as can be told" in icount[0].text


def test_nothing_disturbs_under_icount(icount):
    [disturbance] = icount[0].records.records("disturbance")
    assert disturbance["reads"] > 100_000
    assert disturbance["gaps"] == 0
    assert disturbance["backwards"] == 0
    assert disturbance["steal"] == "absent"
    assert disturbance["spin_ns"] == pytest.approx(20_000_000, rel=1e-4)


def test_the_tsc_runs_in_every_state_under_icount(icount):
    states = {record["state"]: record for record in icount[0].records.records("state")}
    assert set(states) == {"pause", "load", "halt"}
    for state in states.values():
        assert state["verdict"] == "same"
        assert state["low_hz"] <= 10**9 <= state["high_hz"]
    wakes = {record["source"]: record["result"] for record in icount[0].records.records("wake")}
    assert wakes == {"lapic": "works", "pit": "works", "deadline": "absent"}


@pytest.mark.usefixtures("kvm")
def test_kvm():
    run = boot(machine="microvm", accel="kvm", options="window=50ms sections=costs,disturbance,halt,load")
    check_table(run)
    [tsc] = run.records.records("tsc")
    assert tsc["rdtscp"] == "absent"
    [disturbance] = run.records.records("disturbance")
    assert disturbance["lost_cycles"] <= disturbance["spin_cycles"]
    # Whether an interrupt arrives in time is the host's business; what was measured is not.
    states = {record["state"]: record["verdict"] for record in run.records.records("state")}
    assert states["pause"] == states["load"] == "same"
    assert states["halt"] in ("same", "none")


def test_sections_that_were_not_asked_for_are_left_out():
    run = boot(options="window=20ms sections=none", smp=2)
    assert run.status == PASS
    for kind in ("bench", "tsc", "disturbance", "gap_bucket", "state", "wake", "vcpu"):
        assert run.records.records(kind) == []
