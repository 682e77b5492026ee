"""The image on the machines, CPUs and doors that QEMU offers without KVM."""

import pytest

from qemu import FAIL, INCONCLUSIVE, PASS, boot

SHORT = "window=50ms"

LIVE = ("live", "coarse")


def statuses(run):
    return {clock["clock"]: clock["status"] for clock in run.records.records("clock")}


def enclosures(run):
    """Clock to enclosure, of those that have one."""
    return {
        record["clock"]: (record["low_hz"], record["high_hz"])
        for record in run.records.records("measurement")
        if record["status"] == "ok"
    }


@pytest.mark.parametrize(
    "machine, live",
    [
        ("pc", {"pit", "hpet", "pmtimer", "lapic"}),
        ("q35", {"pit", "hpet", "pmtimer", "lapic"}),
        ("microvm", {"pit", "lapic"}),
        ("pc,hpet=off", {"pit", "pmtimer", "lapic"}),
        ("q35,hpet=off", {"pit", "pmtimer", "lapic"}),
        ("pc,pit=off", {"hpet", "pmtimer", "lapic"}),
        ("pc,acpi=off", {"pit", "hpet", "lapic"}),
        ("pc,acpi=off,hpet=off", {"pit", "lapic"}),
    ],
)
def test_machines_and_their_clocks(machine, live):
    run = boot(machine=machine, options=SHORT)
    assert run.status == PASS
    assert run.records.hypervisor["present"] is True
    assert run.records.hypervisor["vendor"] == "QEMU TCG"
    assert run.records.hypervisor["signature"] == "TCGTCGTCGTCG"
    found = statuses(run)
    assert set(found) == {"pit", "hpet", "pmtimer", "lapic", "rtc", "hyperv-refcount", "pvclock", "xen-time"}
    assert {name for name, status in found.items() if status in LIVE} == live
    for clock in run.records.records("clock"):
        if clock["status"] not in LIVE:
            assert clock["reason"], clock
    # What the clocks say has to be one story: the combined enclosure lies in each of them.
    every = enclosures(run)
    low, high = every.pop("all")
    assert every
    for name, (clock_low, clock_high) in every.items():
        assert clock_low <= low <= high <= clock_high, name


def test_without_any_timer():
    """Only the LAPIC timer is left. Its rate is known for QEMU, and the report must say so."""
    run = boot(machine="microvm,pit=off,pic=off,rtc=off,acpi=off", options=SHORT)
    assert run.status == PASS
    found = statuses(run)
    assert {name for name in found if found[name] in LIVE} == {"lapic"}
    assert any("LAPIC timer alone" in note for note in run.notes("info"))
    assert set(enclosures(run)) == {"lapic", "all"}


def test_no_reference_at_all():
    machine = "microvm,pit=off,pic=off,rtc=off,acpi=off"
    run = boot(machine=machine, cpu="max,-apic", options=SHORT)
    assert run.status == INCONCLUSIVE
    assert not set(statuses(run).values()) & set(LIVE)
    assert run.records.measurement("all")["estimate_hz"] is None


def globals_of(*properties):
    return [word for each in properties for word in ("-global", each)]


def test_devices_with_other_properties():
    """An HPET with more timers, a CMOS clock of another epoch that makes up for lost ticks, and a
    port as older versions of QEMU have it, without GETHZ and without a word about that."""
    extra = globals_of("hpet.timers=8", "hpet.msi=on", "mc146818rtc.base_year=1900",
                       "mc146818rtc.lost_tick_policy=slew", "vmport.x-cmds-v2=off",
                       "vmport.x-signal-unsupported-cmd=off")  # fmt: skip
    run = boot(extra=extra, options=SHORT)
    assert run.status == PASS
    found = statuses(run)
    assert {name for name, status in found.items() if status in LIVE} == {"pit", "hpet", "pmtimer", "lapic"}
    assert found["rtc"] == "slow"
    claim = run.records.claim("vmware-port")
    assert claim["reason"] == "QEMU's vmport answers, but does not know GETHZ"


def test_a_cmos_clock_elsewhere_and_a_cpu_that_hides():
    extra = globals_of("mc146818rtc.iobase=0x74", "max-x86_64-cpu.hypervisor=off")
    run = boot(cpu="max", extra=extra, options=SHORT)
    assert run.status == PASS
    assert run.records.hypervisor["present"] is False
    rtc = run.records.clock("rtc")
    assert (rtc["status"], rtc["reason"]) == ("absent", "port 0x71 reads as all ones")


def test_only_the_clocks_that_were_asked_for():
    run = boot(options=f"{SHORT} clocks=hpet,pit")
    assert run.status == PASS
    assert statuses(run)["pmtimer"] == statuses(run)["lapic"] == "unused"
    assert set(enclosures(run)) == {"hpet", "pit", "all"}


@pytest.mark.parametrize("machine", ["pc", "microvm,acpi=on"])
def test_two_vcpus(machine):
    run = boot(machine=machine, smp=2, options=SHORT)
    assert run.status == PASS
    assert run.records.start["cpus"] == 2


@pytest.mark.parametrize(
    "cpu, vendor",
    [
        ("Skylake-Client", "GenuineIntel"),
        ("EPYC", "AuthenticAMD"),
        ("qemu64", "AuthenticAMD"),
        ("max,vendor=GenuineIntel", "GenuineIntel"),
        ("max,level=0x16", "AuthenticAMD"),
        ("max,-tsc", "AuthenticAMD"),
    ],
)
def test_cpu_models(cpu, vendor):
    run = boot(cpu=cpu, options=SHORT)
    assert run.status == PASS
    assert run.records.hypervisor["cpu_vendor"] == vendor
    assert run.records.hypervisor["vendor"] == "QEMU TCG"


def test_the_present_bit_and_the_leaves_are_told_apart():
    run = boot(cpu="max,-hypervisor", options=SHORT)
    assert run.status == PASS
    assert run.records.hypervisor["present"] is False
    assert run.records.hypervisor["vendor"] == "QEMU TCG"


def test_a_present_bit_without_a_signature():
    run = boot(cpu="max,tcg-cpuid=off", options=SHORT)
    assert run.status == PASS
    assert run.records.hypervisor["present"] is True
    assert run.records.hypervisor["vendor"] is None


def test_what_looks_like_bare_metal_passes():
    run = boot(cpu="max,-hypervisor,tcg-cpuid=off", options=SHORT)
    assert run.status == PASS
    assert run.records.hypervisor["present"] is False
    assert run.records.hypervisor["vendor"] is None
    assert "no hypervisor" in run.last_line


def test_a_leaf_that_is_only_an_echo_is_no_claim():
    """On Intel models TCG answers leaf 0x40000010 with the highest basic leaf's words."""
    run = boot(cpu="Skylake-Client", options=SHORT)
    claim = run.records.claim("leaf-0x40000010")
    assert claim["status"] == "absent"
    assert claim["hz"] is None
    assert claim["reason"]


@pytest.mark.parametrize("machine", ["pc", "microvm"])
def test_no_long_mode(machine):
    run = boot(machine=machine, cpu="qemu32", silent=True)
    assert run.status == FAIL
    assert "long mode" in run.text
    assert run.last_line.startswith("FAIL")
    assert run.com2 == b""


def test_too_little_memory_is_said():
    run = boot(memory="8M", options=SHORT)
    assert run.status == FAIL
    assert "needs 16 MiB" in run.last_line


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_the_least_memory(machine):
    assert boot(machine=machine, memory="16M", options=SHORT).status == PASS


def test_much_memory():
    """RAM above 4 GiB, which the page tables need not map."""
    run = boot(memory="5G", options=SHORT)
    assert run.status == PASS
    assert 5100 <= run.records.start["memory_mib"] <= 5120


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_pvh(pvh, machine):
    run = boot(door="pvh", image=pvh, machine=machine, options=f"{SHORT} expect=boot:pvh")
    assert run.status == PASS
    assert run.records.start["options"] == f"{SHORT} expect=boot:pvh"
    assert 100 <= run.records.start["memory_mib"] <= 128


def test_multiboot_hands_over_the_options_and_the_loader():
    run = boot(options=f"{SHORT} precision=1ppm")
    assert run.status == PASS
    assert run.records.start["options"].endswith(f"{SHORT} precision=1ppm")
    assert run.records.start["loader"] == "qemu"
    assert 100 <= run.records.start["memory_mib"] <= 128
