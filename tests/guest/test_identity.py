"""Who runs this guest: QEMU in its own clothes, in those of others, and with an option ROM of 2006."""

import pytest

from qemu import PASS, boot

SHORT = "window=50ms"
LONGER = "window=500ms"  # each instruction costs half a microsecond in some KVMs


def identity(run):
    return run.records.records("identity")[0]


def evidence(run):
    return {item["source"]: item for item in run.records.records("evidence")}


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_qemu(machine):
    run = boot(machine=machine, options=SHORT)
    assert run.status == PASS
    found = identity(run)
    assert (found["conclusion"], found["confidence"]) == ("QEMU TCG", "high")
    assert found["against"] is None
    assert evidence(run)["smbios-vendor"]["points_to"] == "QEMU"
    assert evidence(run)["acpi-oem"]["points_to"] == "QEMU"
    assert evidence(run)["acpi-waet"]["finding"].endswith("PM timer good")


@pytest.mark.parametrize("vmport", ["on", "off"])
def test_vmwares_port(vmport):
    run = boot(machine=f"pc,vmport={vmport}", options=SHORT)
    assert ("vmware-port" in evidence(run)) == (vmport == "on")
    said = "QEMU answers VMware's port" if vmport == "on" else None
    assert identity(run)["impersonation"] == said


def test_microvm_has_little_to_say():
    run = boot(machine="microvm", options=SHORT)
    assert identity(run)["conclusion"] == "QEMU TCG"
    assert not [source for source in evidence(run) if source.startswith("smbios")]


def test_in_vmwares_clothes():
    smbios = "type=1,manufacturer=VMware,, Inc.,product=VMware Virtual Platform"
    run = boot(options=SHORT, extra=["-smbios", smbios])
    found = identity(run)
    assert found["conclusion"] == "QEMU TCG"
    assert found["confidence"] == "medium"
    assert "VMware" in found["against"]


def test_a_cloud_around_it():
    smbios = "type=1,manufacturer=OpenStack Foundation,product=OpenStack Nova"
    run = boot(options=SHORT, extra=["-smbios", smbios])
    found = identity(run)
    assert (found["platform"], found["hypervisor"]) == ("OpenStack", "QEMU TCG")
    assert found["conclusion"] == "OpenStack on QEMU TCG"
    assert found["against"] is None


def test_tables_of_others(tmp_path):
    """A table that names Xen, by an author that is not QEMU: shown, and told as what does not fit."""
    data = tmp_path / "table"
    data.write_bytes(bytes(21))
    run = boot(options=SHORT, extra=["-acpitable", f"sig=XENV,oem_id=CLOUDH,data={data}"])
    assert evidence(run)["acpi-xenv"]["points_to"] == "Xen"
    oem = [e for e in run.records.records("evidence") if e["source"] == "acpi-oem"]
    assert [e["points_to"] for e in oem] == ["QEMU", "Cloud Hypervisor"]
    found = identity(run)
    assert (found["conclusion"], found["confidence"]) == ("QEMU TCG", "medium")
    assert found["against"] == "acpi-oem points to Cloud Hypervisor"


def test_it_hides():
    run = boot(cpu="max,-hypervisor,tcg-cpuid=off", options=SHORT)
    found = identity(run)
    assert found["conclusion"] == "QEMU"
    assert found["hypervisor"] is None
    assert found["impersonation"] == (
        "QEMU answers VMware's port; QEMU hides: CPUID's present bit is clear"
    )


def test_the_vm_bit():
    run = boot(options=SHORT, extra=["-smbios", "type=0,vendor=SeaBIOS,uefi=off"])
    assert "smbios-vm-bit" in evidence(run)


def test_the_vmi_rom(tmp_path):
    """An option ROM as VMware's of 2006 begins. The firmware calls offset 3, where a far return is."""
    rom = bytearray(1024)
    rom[0:4] = b"\x55\xaa\x02\xcb"
    rom[8:15] = b"cVmi\x00\x03\x50"
    rom[16:20] = (0xFC000000).to_bytes(4, "little")
    rom[-1] = -sum(rom) % 256
    path = tmp_path / "vmi.rom"
    path.write_bytes(rom)
    run = boot(options=SHORT, extra=["-option-rom", str(path)])
    assert run.status == PASS
    finding = evidence(run)["vmi-rom"]["finding"]
    assert "VMI ROM at 0xc" in finding
    assert "API 3.0, 1024 bytes" in finding


def test_kvm(kvm_run):
    found = identity(kvm_run)
    assert (found["conclusion"], found["confidence"]) == ("QEMU on KVM", "high")


def test_kvm_that_hides(kvm_hidden_run):
    found = identity(kvm_hidden_run)
    assert found["hypervisor"] is None
    assert found["platform"] == "QEMU"


def test_kvm_as_hyperv(kvm):
    cpu = "host,-arch-capabilities,-rdtscp,hv-relaxed"
    run = boot(accel="kvm", cpu=cpu, options=LONGER)
    if run.records.hypervisor["signature"] != "Microsoft Hv":
        pytest.skip("this KVM does not show Hyper-V's interface")
    assert identity(run)["conclusion"] == "QEMU on KVM"
    assert "KVM shows Hyper-V's interface" in identity(run)["impersonation"]
