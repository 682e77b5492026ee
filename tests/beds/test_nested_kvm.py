"""Guests of a real KVM with SVM: its own leaves, and those of the Hyper-V interface that it offers."""

import pytest

import nested_kvm
import peers
from nested_kvm import Guest

# The clocks of a nested guest stall whenever TCG does: any rate will do, if claims agree.
LOOSE = "window=200ms tolerance=100000ppm"
GUESTS = {
    "plain": Guest("host", LOOSE),
    "passthrough": Guest("host,hv-passthrough", LOOSE),
    "microsoft": Guest("host,hv-time,hv-frequencies,hv-vpindex,hv-relaxed", LOOSE),
    "other": Guest("host,hv-time,hv-frequencies,hv-vendor-id=NotMicrosoft", LOOSE),
    "bare": Guest("host,-hypervisor,kvm=off", LOOSE, machine="pc,vmport=off"),
}
HYPERV = ("passthrough", "microsoft", "other")


@pytest.fixture(scope="module")
def runs():
    try:
        return nested_kvm.boot(GUESTS)
    except peers.PeersUnavailable as reason:
        pytest.skip(str(reason))


def blocks(run):
    return {block["base"]: block["signature"] for block in run.records("block")}


def hz(run, source, clock="tsc"):
    claim = run.claim(source, clock)
    assert claim["status"] == "present", claim
    return claim["hz"]


@pytest.mark.parametrize("name", GUESTS)
def test_the_run_passes(runs, name):
    run = runs[name]
    assert run.start["boot"] == "multiboot1"
    assert run.end["result"] == "pass"
    live = {clock["clock"] for clock in run.records("clock") if clock["status"] == "live"}
    assert {"pit", "hpet", "pmtimer"} <= live
    measured = run.measurement("all")
    assert measured["status"] == "ok"
    assert measured["low_hz"] > 10**8


def test_kvm(runs):
    run = runs["plain"]
    assert run.hypervisor["vendor"] == "KVM"
    assert blocks(run) == {"0x40000000": "KVMKVMKVM"}
    assert run.clock("pvclock")["status"] == "live"
    assert abs(hz(run, "pvclock") - hz(run, "vmware-port")) <= 2
    assert run.clock("hyperv-refcount")["status"] == "absent"


def test_kvm_as_hyperv(runs):
    """With every enlightenment QEMU writes "Linux KVM Hv", and KVM's own leaves move up."""
    run = runs["passthrough"]
    assert run.hypervisor["vendor"] == "KVM"
    found = blocks(run)
    assert found["0x40000000"] == "Linux KVM Hv"
    assert found["0x40000080"] == "Microsoft VS"
    assert found["0x40000100"] == "KVMKVMKVM"


def test_kvm_as_microsoft(runs):
    run = runs["microsoft"]
    assert blocks(run) == {"0x40000000": "Microsoft Hv", "0x40000100": "KVMKVMKVM"}
    assert run.hypervisor["vendor"] == "KVM"  # the block behind tells who it is


def test_any_vendor_with_the_interface(runs):
    run = runs["other"]
    assert blocks(run) == {"0x40000000": "NotMicrosoft", "0x40000100": "KVMKVMKVM"}


@pytest.mark.parametrize("name", HYPERV)
def test_the_hyperv_interface(runs, name):
    """Its frequency MSRs, its TSC page and its counter, behind whichever vendor."""
    run = runs[name]
    assert run.hypervisor["interface"] == "Hv#1"
    assert hz(run, "hyperv-msr", "bus") == 10**9
    assert abs(hz(run, "hyperv-msr") - hz(run, "pvclock")) <= 2
    assert abs(hz(run, "hyperv-tsc-page") - hz(run, "pvclock")) <= 2
    assert run.clock("hyperv-refcount")["status"] == "live"
    assert run.clock("hyperv-refcount")["independence"] == "tsc-derived"
    assert run.verdict("hyperv-msr")["verdict"] == "ok"


def test_hidden_kvm(runs):
    run = runs["bare"]
    assert run.hypervisor["present"] is False
    assert blocks(run) == {}
    assert [c["source"] for c in run.records("claim") if c["status"] == "present"
            and not c["nominal"]] == []  # fmt: skip
