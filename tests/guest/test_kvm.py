"""Under KVM, where there is a claim to judge."""

import pytest

from qemu import FAIL, PASS, boot, hypertick_qemu

pytestmark = pytest.mark.usefixtures("kvm")

# Readings can take 10 us under KVM: then 50 ppm need a second or two. Where they are cheap the run
# ends at once.
LONG = "window=5s stop=verdict"
# The one clock beside the LAPIC timer is the PIT, which cannot be read across its wraps of 55 ms.
MICROVM = f"{LONG} tolerance=500ppm"


@pytest.fixture(scope="module")
def microvm_run():
    return boot(machine="microvm", accel="kvm", options=MICROVM)


def test_pc(kvm_run):
    the_timing_leaf_is_found_accepted_and_right(kvm_run)


def test_microvm(microvm_run):
    the_timing_leaf_is_found_accepted_and_right(microvm_run)


def test_q35():
    the_timing_leaf_is_found_accepted_and_right(boot(machine="q35", accel="kvm", options=LONG))


def the_timing_leaf_is_found_accepted_and_right(run):
    assert run.status == PASS
    assert run.records.hypervisor["vendor"] == "KVM"
    claim = run.records.claim("leaf-0x40000010")
    assert claim["status"] == "present"
    assert claim["nominal"] is False
    assert run.records.verdict("leaf-0x40000010")["verdict"] == "ok"
    assert run.records.claim("leaf-0x40000010", "bus")["hz"] == 10**9
    assert run.records.verdict("leaf-0x40000010", "bus")["verdict"] == "ok"
    assert run.records.measurement("all")["status"] == "ok"


def test_without_leaf_and_clock_page_there_is_no_claim():
    cpu = hypertick_qemu.KVM_CPU.replace("+invtsc", "-invtsc,-kvmclock")
    run = boot(machine="microvm", accel="kvm", cpu=cpu, options="window=100ms")
    assert run.status == PASS
    assert run.records.claim("leaf-0x40000010")["status"] == "absent"
    assert "no rate is claimed" in run.last_line


def test_a_wrong_leaf_is_off(microvm_run):
    """tsc-frequency= within KVM's tolerance changes the leaf, but here not the TSC."""
    right = microvm_run
    hz = int(right.records.claim("leaf-0x40000010")["hz"]) * 10_002 // 10_000
    cpu = f"{hypertick_qemu.KVM_CPU},tsc-frequency={hz}"
    run = boot(machine="microvm", accel="kvm", cpu=cpu, options="window=1s tolerance=100ppm")
    if run.records.claim("leaf-0x40000010")["hz"] == right.records.claim("leaf-0x40000010")["hz"]:
        pytest.skip("this KVM ignores tsc-frequency=")
    measured = [r.records.measurement("all")["estimate_hz"] for r in (right, run)]
    if abs(measured[0] - measured[1]) > measured[0] / 10_000:
        pytest.skip("this KVM scales the TSC to tsc-frequency=")
    assert run.status == FAIL
    verdict = run.records.verdict("leaf-0x40000010")
    assert verdict["verdict"] == "off"
    assert 190_000 < verdict["error_ppb"] < 210_000


def test_two_vcpus(kvm_pair_run):
    assert kvm_pair_run.status == PASS
    assert kvm_pair_run.records.start["cpus"] == 2


def test_pvh(pvh):
    run = boot(machine="microvm", accel="kvm", door="pvh", image=pvh, options=MICROVM)
    assert run.status == PASS
