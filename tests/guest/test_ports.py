"""Ports that only some machines have: COM3, COM4, PCI serial cards, the debug console at 0x402."""

import subprocess
import tempfile
from pathlib import Path

import pytest

import records
import xen
from qemu import IMAGE, PASS, boot, hypertick_qemu

SHORT = "window=50ms"


def run_with(options, device, **machine):
    """A run with one more device, whose character device is `extra`: (run, what that got)."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "extra"
        flags = ["-chardev", hypertick_qemu.file_backend(path) + ",id=extra", *device]
        run = boot(options=f"{SHORT} {options}", extra=flags, **machine)
        return run, path.read_text("ascii").replace("\r\n", "\n")


def sink(run, name):
    (found,) = (record for record in run.records.records("sink") if record["sink"] == name)
    return found["status"], found["gets"], found["where"]


@pytest.mark.parametrize("name, index, port", [("com3", 2, "0x3e8"), ("com4", 3, "0x2e8")])
def test_com_port(name, index, port):
    device = ["-device", f"isa-serial,chardev=extra,index={index}"]
    run, got = run_with(f"{name}=text", device)
    assert sink(run, name) == ("open", "text", f"port {port}")
    assert got == run.text
    run, got = run_with(f"{name}=json", device)
    assert records.load(got).end["result"] == "pass"
    run, got = run_with("", device)
    assert sink(run, name) == ("off", "off", "")
    assert got == ""


PCI = {
    "bus 0": ("pc", ["-device", "pci-serial,chardev=extra,addr=9"], "PCI 00:09.0, "),
    "behind a bridge": ("pc", [
        "-device", "pci-bridge,chassis_nr=1,id=bridge,addr=8",
        "-device", "pci-serial,chardev=extra,bus=bridge,addr=2"], "PCI 01:02.0, "),
    "behind two of q35": ("q35", [
        "-device", "pcie-root-port,id=root,chassis=1,addr=6",
        "-device", "pcie-pci-bridge,id=bridge,bus=root",
        "-device", "pci-serial,chardev=extra,bus=bridge,addr=3"], "PCI 02:03.0, "),
    "two ports": ("pc", ["-device", "pci-serial-2x,chardev1=extra,addr=9"], "PCI 00:09.0, "),
}  # fmt: skip


@pytest.mark.parametrize("place", PCI)
def test_pci_card(place):
    machine, device, where = PCI[place]
    run, got = run_with("pciserial=text", device, machine=machine)
    assert sink(run, "pciserial")[:2] == ("open", "text")
    assert sink(run, "pciserial")[2].startswith(where)
    assert got == run.text


def test_pci_card_in_place_of_com_ports():
    run, got = run_with("", PCI["bus 0"][1], com1=False, com2=False, silent=True)
    assert run.status == PASS
    assert got.strip().splitlines()[-1].startswith("PASS: ")
    assert run.debugcon == b""


def test_pci_card_that_is_not_there():
    run = boot(options=f"{SHORT} pciserial=text")
    assert sink(run, "pciserial") == ("absent", "text", "no PCI serial card")


def test_no_pci_bus(pvh):
    run = boot(options=f"{SHORT} pciserial=text", machine="microvm", image=pvh, door="pvh")
    assert sink(run, "pciserial") == ("absent", "text", "no PCI bus")


def test_debug_console_of_the_firmware():
    # Two debug consoles: the usual one wins.
    device = ["-device", "isa-debugcon,iobase=0x402,chardev=extra"]
    run, got = run_with("debugcon=text", device)
    assert sink(run, "debugcon") == ("open", "text", "port 0xe9")
    assert "hypertick" not in got


def test_debug_console_of_the_firmware_alone():
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        line = hypertick_qemu.command(
            IMAGE, "tcg", SHORT, None, None,
            ["-chardev", hypertick_qemu.file_backend(directory / "log") + ",id=log",
             "-device", "isa-debugcon,iobase=0x402,chardev=log"],
        )  # fmt: skip
        assert subprocess.run(line, timeout=90, check=False).returncode == PASS
        got = (directory / "log").read_text("ascii", "replace")
    assert "port 0x402" in got
    assert got.strip().splitlines()[-1].startswith("PASS: ")


def test_xen_console_of_dom0():
    """By hypercall, where all other sinks are off: Xen shows it whatever its log level."""
    image, problem = xen.fetch()
    if problem:
        pytest.skip(problem)
    _, _, console = xen.run(image, f"{SHORT} com1=off pciserial=off", "com2")
    assert "debugcon  text      Xen's console, by hypercall" in console
    assert "booted by pvh" in console
    assert any(line.startswith(("PASS: ", "FAIL: ", "INCONCLUSIVE: "))
               for line in console.replace("\r", "").splitlines())  # fmt: skip
