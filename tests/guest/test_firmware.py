"""What QEMU's firmware interfaces carry: options. Under UEFI: test_efi.py."""

import pytest

from qemu import FAIL, PASS, boot

SHORT = "window=50ms"


def fw_cfg(line):
    return ["-fw_cfg", f"name=opt/hypertick/options,string={line}"]


def oem(line):
    return ["-smbios", "type=11,value=hypertick:" + line.replace(",", ",,")]


def lines(run):
    return {record["source"]: record["line"] for record in run.records.records("options")}


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_options_by_fw_cfg(machine):
    run = boot(machine=machine, extra=fw_cfg(f"{SHORT} clocks=lapic"))
    assert run.status == PASS
    assert lines(run)["fw_cfg"] == f"{SHORT} clocks=lapic"
    assert run.records.clock("pit")["status"] == "unused"


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_options_by_smbios(machine):
    run = boot(machine=machine, extra=oem(f"{SHORT} clocks=pit,lapic"))
    assert run.status == PASS
    assert lines(run)["smbios"] == f"{SHORT} clocks=pit,lapic"
    assert run.records.clock("hpet")["status"] == "unused"


def test_the_stronger_source_wins():
    run = boot(options="clocks=pit", extra=[*fw_cfg("clocks=lapic " + SHORT),
                                            *oem("clocks=hpet window=soon")])  # fmt: skip
    assert run.status == FAIL
    assert [text for text in run.notes("error") if '"window=soon" of SMBIOS' in text]
    assert run.records.clock("pit")["status"] != "unused"
    assert run.records.clock("hpet")["status"] == run.records.clock("lapic")["status"] == "unused"
    assert list(lines(run)) == ["smbios", "fw_cfg", "boot"]


def test_a_whole_file_of_options(tmp_path):
    path = tmp_path / "options"
    path.write_text(f"{SHORT}\nclocks=lapic\r\n\tcom1=text\n")
    run = boot(extra=["-fw_cfg", f"name=opt/hypertick/options,file={path}"])
    assert run.status == PASS
    assert run.records.clock("pit")["status"] == "unused"


def test_none_of_them():
    run = boot(machine="pc,smbios-entry-point-type=64", options=SHORT)
    assert run.status == PASS
    assert set(lines(run)) == {"boot"}
