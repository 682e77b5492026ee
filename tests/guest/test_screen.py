"""The screen alone, with neither serial nor debug port: what a person sees tells all that decides."""

import re

import pytest

import efi
import screen
from qemu import IMAGE, hypertick_qemu

OPTIONS = "window=50ms exit=halt"
RATE = r"TSC +(\d+\.\d{6}) MHz, \+-(\d+\.\d{3}) ppm; proven: (\d+\.\d{6}) \.\. (\d+\.\d{6}) MHz"


def vga(options, extra=()):
    """A machine with a VGA and nothing else that shows text."""
    return hypertick_qemu.command(IMAGE, "tcg", f"{OPTIONS} {options}", None, None,
                                  ["-vga", "std", *extra])  # fmt: skip


def see(line, font, last):
    with screen.Machine(line) as machine:
        return machine.wait_for(font, last)


def page(lines):
    """The summary at the end, from its first line."""
    (first,) = (i for i, line in enumerate(lines) if line.endswith(": summary"))
    return lines[first:]


def check_page(lines, door):
    assert screen.UNKNOWN not in "".join(lines)
    assert re.fullmatch(rf"hypertick \S+, booted by {door}: summary", lines[0])
    assert lines[1].startswith('Hypervisor  QEMU TCG; 0x40000000 "TCGTCGTCGTCG"')
    rate = re.fullmatch(RATE, " ".join([lines[2], lines[3].strip()]) if "Claims" not in lines[3]
                        else lines[2])  # fmt: skip
    assert rate, lines[:5]
    assert float(rate[3]) <= float(rate[1]) <= float(rate[4])
    clocks = [line.split() for line in lines if re.match(r"  (pit|hpet|pmtimer|lapic) ", line)]
    assert [clock[0] for clock in clocks] == ["pit", "hpet", "pmtimer", "lapic"]
    assert all(clock[1] in ("live", "coarse") for clock in clocks)
    assert any(line.startswith("Claims ") for line in lines)


def test_pass_on_vga():
    lines = see(vga(""), screen.vga_font(), "^PASS: ")
    assert len(lines) == 25
    check_page(page(lines), "multiboot1")
    assert lines[0] == page(lines)[0]  # the page has the screen for itself


def test_fail_on_vga():
    words = "expect=vendor:KVM,clock:hpet:absent,boot:pvh"
    lines = page(see(vga(words), screen.vga_font(), "^FAIL: "))
    check_page(lines, "multiboot1")
    assert "FAIL: expected vendor:KVM, found QEMU TCG, and 2 more" in lines


def test_inconclusive_on_vga():
    lines = page(see(vga("clocks=rtc"), screen.vga_font(), "^INCONCLUSIVE: "))
    assert any(line.startswith("TSC         no rate is proven: ") for line in lines)


def test_an_exception_on_vga():
    lines = see(vga("fault=gp"), screen.vga_font(), "^FAIL: ")
    assert any("#GP general protection" in line for line in lines)


@pytest.mark.parametrize("end", ["PASS", "FAIL"])
def test_framebuffer_of_uefi(tmp_path, end):
    """OVMF sets a graphics mode; its own picture and text are gone."""
    words = "expect=vendor:KVM" if end == "FAIL" else ""
    efi.disk(tmp_path / "disk", {"EFI/BOOT/hypertick.conf": f"{OPTIONS} {words}"})
    line = [hypertick_qemu.QEMU, "-nodefaults", "-display", "none", "-machine", "q35", "-m", "256",
            "-accel", "tcg", "-cpu", "max", "-net", "none", "-vga", "std",
            "-drive", f"if=pflash,format=raw,readonly=on,file={efi.CODE}",
            "-drive", f"if=pflash,format=raw,snapshot=on,file={efi.VARIABLES}",
            "-drive", f"if=none,id=disk,format=raw,file={tmp_path}/disk",
            "-device", "ide-hd,drive=disk,bootindex=0"]  # fmt: skip
    lines = see(line, screen.own_font(), f"^{end}: ")
    assert len(lines) > 25
    check_page(page(lines), "efi")
    # What came before is there, too, as far as it fits.
    assert any(line.startswith("Verdicts: ") for line in lines)
