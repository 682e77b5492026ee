"""The EFI program, booted by OVMF."""

import efi
import pytest
from qemu import FAIL, PASS

CONF = "EFI/BOOT/hypertick.conf"


@pytest.fixture(scope="module", autouse=True)
def built():
    assert efi.PROGRAM.exists(), f"{efi.PROGRAM} is not built: run `make efi`"
    assert efi.CODE.exists(), f"{efi.CODE} is missing: run tools/setup --needed-for check"


def test_default_boot():
    """With a display, so that there is a framebuffer to be mapped."""
    run = efi.boot({CONF: "# for a test\r\nwindow=50ms # short\n\n\tprecision=0\n"}, smp=2,
                   extra=["-device", "VGA"])  # fmt: skip
    assert run.status == PASS
    start = run.records.start
    assert start["options"] == "window=50ms precision=0"
    assert start["loader"] == "EDK II"
    assert start["cpus"] == 2  # the RSDP was found, and it is nowhere but in EFI's table
    assert 240 <= start["memory_mib"] <= 256
    assert "the options come from hypertick.conf" in run.notes("info")
    assert not run.notes("warning") and not run.notes("error")
    for clock in ("pit", "hpet", "pmtimer", "lapic"):
        assert run.records.clock(clock)["status"] == "live"
    assert run.records.measurement("all")["estimate_hz"] > 0
    # The other vCPU starts in the page that was asked of the firmware, and ExitBootServices has not
    # left it to run where that is.
    assert run.records.records("vcpus")[0]["up"] == 2
    other = run.records.records("vcpu")[1]
    assert other["status"] == "up" and other["differences"] == 0, other
    assert other["offset_low_cycles"] <= 0 <= other["offset_high_cycles"]


def test_old_chipset_and_no_options():
    run = efi.boot({}, machine="pc")
    assert run.status == PASS
    assert run.records.start["options"] == ""
    assert not any("options come from" in note for note in run.notes("info"))


def test_load_options_win():
    """From the shell, which makes its command line the load options."""
    run = efi.boot(
        {
            "tools/hypertick.conf": "window=40ms clocks=pit,pmtimer",
            "startup.nsh": "fs0:\r\n\\tools\\hypertick.efi clocks=pit,hpet\r\n",
        },
        program="tools/hypertick.efi",
    )
    assert run.status == PASS
    assert run.records.start["options"] == (
        "window=40ms clocks=pit,pmtimer -- \\tools\\hypertick.efi clocks=pit,hpet"
    )
    assert "the options come from hypertick.conf, then the load options" in run.notes("info")
    status = {clock["clock"]: clock["status"] for clock in run.records.records("clock")}
    used = {name for name, word in status.items() if word != "unused"}
    assert used == {"pit", "hpet"} and status["pmtimer"] == "unused"


def test_bad_option():
    run = efi.boot({CONF: "window=40ms\nwindwo=50ms\n"})
    assert run.status == FAIL
    assert any('option "windwo=50ms"' in note for note in run.notes("error"))


def test_exit_by_reset_system():
    """ResetSystem carries no status. With memory above 4 GiB, which is mapped, too."""
    run = efi.boot({CONF: "window=40ms exit=efi"}, memory="5G", bare_exit=True)
    assert run.records.end["result"] == "pass"
    assert 5100 <= run.records.start["memory_mib"] <= 5120
    assert not run.notes("warning")


def test_exit_by_acpi():
    """The port and the sleep type are in tables that only the firmware's RSDP leads to."""
    run = efi.boot({CONF: "window=40ms exit=acpi"}, bare_exit=True)
    assert run.records.end["result"] == "pass"


@pytest.mark.parametrize("fault, name", [("pf", "#PF"), ("stack", "stack overflow")])
def test_exceptions(fault, name):
    """Our own GDT, IDT, page tables and guard page are in force."""
    run = efi.boot({CONF: f"fault={fault}"}, early=True)
    assert run.status == FAIL
    assert name in run.records.end["reason"]
