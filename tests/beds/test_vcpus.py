"""vCPUs where there are more of them, or stranger ones, than a test of `make check` has time for."""

import pytest

import records
import xen
from qemu import FAIL, INCONCLUSIVE, PASS, boot

EXAMINED_MOST = 254  # VCPUS_MAX in kernel/smp.h


def test_more_than_are_examined():
    run = boot(smp=255, options="window=20ms")
    assert run.status == PASS
    summary = run.records.records("vcpus")[0]
    assert (summary["listed"], summary["examined"], summary["up"]) == (255, EXAMINED_MOST, EXAMINED_MOST)
    assert f"255 vCPUs are listed, {EXAMINED_MOST} were examined: it takes no more" in run.notes("info")
    vcpus = run.records.records("vcpu")
    assert [vcpu["apic_id"] for vcpu in vcpus] == list(range(EXAMINED_MOST))
    for vcpu in vcpus[1:]:
        assert vcpu["offset_low_cycles"] <= 0 <= vcpu["offset_high_cycles"], vcpu


def test_more_than_are_examined_without_a_list():
    """All get the broadcast; those for whom there is no room halt in the trampoline."""
    run = boot(machine="pc,acpi=off", smp=255, options="window=20ms")
    assert run.status == PASS
    summary = run.records.records("vcpus")[0]
    assert summary["found_by"] == "broadcast"
    assert (summary["examined"], summary["up"]) == (EXAMINED_MOST, EXAMINED_MOST)


def test_an_apic_id_above_255(kvm):
    """In x2APIC mode only. QEMU wants an IOMMU for it, and the id by hand: with 129 cores a socket the
    second socket begins at 256."""
    run = boot(
        machine="q35,kernel-irqchip=split", accel="kvm", options="window=100ms tolerance=500ppm",
        smp="1,maxcpus=258,sockets=2,cores=129,threads=1", timeout=300,
        extra=["-device", "intel-iommu,intremap=on,eim=on", "-device",
               "host-x86_64-cpu,socket-id=1,core-id=0,thread-id=0,apic-id=256"],
    )  # fmt: skip
    assert run.status == PASS
    first, second = run.records.records("vcpu")
    assert (first["apic_id"], second["apic_id"]) == (0, 256)
    assert second["status"] == "up"
    assert second["offset_low_cycles"] <= 0 <= second["offset_high_cycles"]
    assert second["claims"] == "same"


@pytest.mark.parametrize("count", [4])
def test_dom0_of_xen(xen_image, count):
    """A PVH dom0 has no page below 1 MiB by its map, no MADT that can be found, and TSCs that Xen
    emulates by a clock of each CPU: in QEMU TCG those disagree."""
    status, com1, _ = xen.run(xen_image, "com1=json window=50ms", "com2", ["-smp", str(count)])
    assert status in (INCONCLUSIVE, FAIL)
    run = records.load(com1, "com1")
    summary = run.records("vcpus")[0]
    assert summary["found_by"] == "broadcast"
    assert (summary["listed"], summary["up"]) == (count, count)
    assert run.records("warp")[0]["vcpus"] == count
    for vcpu in run.records("vcpu")[1:]:
        assert vcpu["status"] == "up"
        assert vcpu["differences"] == 0
