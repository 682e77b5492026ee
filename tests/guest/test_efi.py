"""The EFI program, booted by OVMF."""

import efi
import pytest
from qemu import FAIL, PASS

CONF = "EFI/BOOT/hypertick.conf"
# EFI_LOADED_IMAGE_PROTOCOL's GUID (UEFI 2.10, 9.1) as it lies in the file.
LOADED_IMAGE = bytes.fromhex("a1311b5b6295d2118e3f00a0c969723b")


@pytest.fixture(scope="module", autouse=True)
def built():
    assert efi.PROGRAM.exists(), f"{efi.PROGRAM} is not built: run `make efi`"
    assert efi.CODE.exists(), f"{efi.CODE} is missing: run tools/setup --needed-for check"


def lines(run):
    """The option lines: where each is from, and what it says."""
    return {record["source"]: record["line"] for record in run.records.records("options")}


def test_default_boot():
    """With a display, so that there is a framebuffer to be mapped, and options in SMBIOS, whose entry
    point is in EFI's table of tables and nowhere else, as is the RSDP."""
    run = efi.boot(
        {CONF: "# for a test\r\nwindow=50ms # short\n\n\tprecision=0\n"}, smp=2,
        extra=["-device", "VGA", "-smbios", "type=11,value=hypertick:clocks=pit,,hpet,,lapic",
               "-fw_cfg", "name=opt/hypertick/options,string=clocks=all"],
    )  # fmt: skip
    assert run.status == PASS
    start = run.records.start
    assert start["options"] == "window=50ms precision=0"
    assert lines(run) == {"smbios": "clocks=pit,hpet,lapic", "fw_cfg": "clocks=all",
                          "boot": "window=50ms precision=0"}  # fmt: skip
    assert start["loader"] == "EDK II"
    assert start["cpus"] == 2
    assert 240 <= start["memory_mib"] <= 256
    assert "the options come from hypertick.conf" in run.notes("info")
    assert not run.notes("warning") and not run.notes("error")
    for clock in ("pit", "hpet", "pmtimer", "lapic"):
        assert run.records.clock(clock)["status"] == "live"
    assert run.records.measurement("all")["estimate_hz"] > 0
    identity = run.records.records("identity")[0]
    assert (identity["conclusion"], identity["confidence"]) == ("QEMU TCG", "high")


def test_old_chipset_without_a_file():
    """Left by ACPI: the port and the sleep type are in tables that only the firmware's RSDP leads to."""
    options = "window=40ms exit=acpi"
    run = efi.boot({}, machine="pc", bare_exit=True,
                   extra=["-fw_cfg", f"name=opt/hypertick/options,string={options}"])  # fmt: skip
    assert run.records.end["result"] == "pass"
    assert run.records.start["options"] == ""
    assert lines(run) == {"fw_cfg": options}
    assert not any("options come from" in note for note in run.notes("info"))


def test_from_the_shell():
    """It makes its command line the load options, which win, and it sees the status of a program that
    cannot go on: a copy that asks for a protocol which is not there."""
    program = efi.PROGRAM.read_bytes()
    assert program.count(LOADED_IMAGE) == 1
    script = ["@echo -off", "fs0:", "\\tools\\broken.efi", "set status %lasterror%",
              "\\tools\\hypertick.efi clocks=pit,hpet status=%status%"]  # fmt: skip
    run = efi.boot(
        {
            "tools/hypertick.conf": "window=40ms clocks=pit,pmtimer\nwindwo=50ms",
            "tools/broken.efi": program.replace(LOADED_IMAGE, bytes(16)),
            "startup.nsh": "\r\n".join([*script, ""]),
        },
        program="tools/hypertick.efi",
    )
    assert (b"hypertick: error: the program is no loaded image (status 0x8000000000000003)\r\n"
            in run.before)  # fmt: skip
    assert run.records.start["options"] == (
        "window=40ms clocks=pit,pmtimer windwo=50ms"
        " -- \\tools\\hypertick.efi clocks=pit,hpet status=0x3"  # EFI_UNSUPPORTED
    )
    assert "the options come from hypertick.conf, then the load options" in run.notes("info")
    status = {clock["clock"]: clock["status"] for clock in run.records.records("clock")}
    used = {name for name, word in status.items() if word != "unused"}
    assert used == {"pit", "hpet"} and status["pmtimer"] == "unused"
    # In both sources there is a word that is no option.
    assert run.status == FAIL
    errors = run.notes("error")
    assert any('option "windwo=50ms"' in note for note in errors)
    assert any('option "status=0x3"' in note for note in errors)
    assert len(errors) == 2


def test_exit_by_reset_system():
    """ResetSystem carries no status. With memory above 4 GiB, which is mapped, too."""
    run = efi.boot({CONF: "window=40ms exit=efi"}, memory="5G", bare_exit=True)
    assert run.records.end["result"] == "pass"
    assert 5100 <= run.records.start["memory_mib"] <= 5120
    assert not run.notes("warning")


def test_an_exception():
    """Our own GDT, IDT, page tables and guard page are in force: that page is not there."""
    run = efi.boot({CONF: "fault=stack"}, early=True)
    assert run.status == FAIL
    assert "stack overflow" in run.records.end["reason"]
