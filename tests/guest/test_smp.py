"""Several vCPUs: all come up, agree, and have one TSC. How fast an exchange is, is the host's affair."""

import pytest

from qemu import FAIL, PASS, boot

SHORT = "window=50ms"


def check(run, count):
    """All are up and alike, and no enclosure excludes the truth, an offset and a rate of 0."""
    assert run.status == PASS
    summary = run.records.records("vcpus")[0]
    assert (summary["listed"], summary["examined"], summary["up"]) == (count, count, count)
    vcpus = run.records.records("vcpu")
    assert [vcpu["index"] for vcpu in vcpus] == list(range(count))
    assert len({vcpu["apic_id"] for vcpu in vcpus}) == count
    for vcpu in vcpus:
        assert vcpu["status"] == "up"
        assert vcpu["differences"] == 0, vcpu["difference"]
    for vcpu in vcpus[1:]:
        assert vcpu["offset_low_cycles"] <= 0 <= vcpu["offset_high_cycles"], vcpu
        assert vcpu["offset_low_ns"] <= 0 <= vcpu["offset_high_ns"], vcpu
        assert vcpu["rate_low_ppb"] <= 0 <= vcpu["rate_high_ppb"], vcpu
        assert vcpu["verdict"] in ("ok", "inconclusive")
    warp = run.records.records("warp")[0]
    assert warp["vcpus"] == count
    assert warp["warps"] == 0
    return vcpus


@pytest.mark.parametrize("count", [2, 8, 64])
def test_tcg(count):
    run = boot(smp=count, options=SHORT)
    check(run, count)
    assert run.records.records("vcpus")[0]["found_by"] == "madt"
    # The report does not list them all.
    assert sum(line.startswith("  vCPU") for line in run.text.splitlines()) <= 8


@pytest.mark.parametrize("count", [2, 8, 64])
def test_icount(count):
    """All vCPUs read one counter of instructions, and take turns: that is fast enough for a verdict."""
    for vcpu in check(boot(accel="icount", smp=count, options=SHORT), count)[1:]:
        assert vcpu["verdict"] == "ok", vcpu


def test_two_runs_under_icount_give_the_same_bytes():
    first, second = (boot(accel="icount", smp=3, options=SHORT) for _ in range(2))
    assert first.com1 == second.com1
    assert first.com2 == second.com2


@pytest.mark.parametrize("machine", ["q35", "microvm"])
def test_machines(machine):
    check(boot(machine=machine, smp=3, options=SHORT), 3)


def test_without_a_madt():
    run = boot(machine="pc,acpi=off", smp=4, options=SHORT)
    check(run, 4)
    assert run.records.records("vcpus")[0]["found_by"] == "broadcast"


def test_gaps_between_the_apic_ids():
    """Three cores a socket: the ids have two bits for the core."""
    run = boot(smp="6,sockets=2,cores=3,threads=1", options=SHORT)
    vcpus = check(run, 6)
    assert [vcpu["apic_id"] for vcpu in vcpus] == [0, 1, 2, 4, 5, 6]


def test_those_that_may_be_plugged_in_later_are_left_alone():
    check(boot(smp="2,maxcpus=6", options=SHORT), 2)


@pytest.mark.parametrize("smp, options", [(1, ""), (4, " cpus=1")])
def test_nobody_else_is_started(smp, options):
    run = boot(smp=smp, options=SHORT + options)
    assert run.status == PASS
    assert run.records.records("vcpu") == []
    assert run.records.records("vcpus")[0]["up"] == 1


def test_as_many_as_asked_for():
    run = boot(smp=8, options=f"{SHORT} cpus=3")
    assert run.status == PASS
    assert len(run.records.records("vcpu")) == 3
    assert run.records.records("vcpus")[0]["listed"] == 8


def test_a_stack_overflow():
    """A guard page below each stack, and another stack to report it on: the others go on."""
    run = boot(smp=4, options=f"{SHORT} fault=vcpu-stack")
    assert run.status == FAIL
    assert run.last_line.startswith("FAIL: vCPU 1 raised CPU exception 14")
    first, *others = run.records.records("vcpu")[1:]
    assert first["status"] == "faulted"
    assert first["reason"].startswith("CPU exception 14 (stack overflow) at rip 0x")
    (exception,) = run.records.records("exception")
    assert (exception["vcpu"], exception["name"]) == (1, "#PF page fault")
    assert f"0x{int(exception['rip'], 16):x}" in first["reason"]
    for vcpu in others:
        assert vcpu["status"] == "up"
        assert vcpu["offset_low_cycles"] <= 0 <= vcpu["offset_high_cycles"]
    assert run.records.records("warp")[0]["vcpus"] == 3


def test_without_a_local_apic():
    run = boot(smp=2, cpu="max,-apic", options=SHORT)
    assert run.records.records("vcpu") == []
    assert "no local APIC" in run.records.records("vcpus")[0]["reason"]


def test_kvm(kvm_pair_run):
    check(kvm_pair_run, 2)


def test_the_clock_that_kvm_gives_to_each(kvm_pair_run):
    """Both vCPUs have a page of KVM's clock, and it is one clock."""
    claim = kvm_pair_run.records.claim("pvclock")
    assert claim["status"] == "present"
    first, second = kvm_pair_run.records.records("vcpu")
    assert first["pvclock_hz"] == second["pvclock_hz"] == claim["hz"]
    assert second["claims"] == "same"
    assert second["pvclock_stable"] is ("stable" in claim["reason"])
    if second["pvclock_stable"]:
        assert second["pvclock_low_ns"] <= 0 <= second["pvclock_high_ns"]
    assert "  pvclock: one rate for all; " in kvm_pair_run.text
