"""The screen alone, with neither serial nor debug port: what a person sees tells all that decides."""

import re

import efi
import screen
from qemu import IMAGE, hypertick_qemu

OPTIONS = "window=50ms"  # and no exit=halt: where there is nothing else, the screen is kept
RATE = r"TSC +(\d+\.\d{6}) MHz \+-(\d+\.\d{3}) ppm, proven (\d+\.\d{6})\.\.(\d+\.\d{6}) MHz"
HALTED = "Halted, so that the screen keeps this; exit=acpi switches off."


def vga(options, extra=()):
    """A machine with a VGA and nothing else that shows text, which ACPI could switch off."""
    return [hypertick_qemu.QEMU, "-nodefaults", "-display", "none", "-no-reboot", "-m", "128",
            "-accel", "tcg", "-cpu", "max", "-vga", "std", "-kernel", str(IMAGE),
            "-append", f"{OPTIONS} {options}", *extra]  # fmt: skip


def see(line, font, last):
    with screen.Machine(line) as machine:
        return machine.wait_for(font, last)


def page(lines):
    """The summary at the end, from its first line."""
    (first,) = (i for i, line in enumerate(lines) if line.endswith(": summary"))
    return lines[first:]


def text_of(title, lines):
    """What a row of the page says."""
    (row,) = (line for line in lines if line.startswith(f"{title} "))
    return row.removeprefix(title).strip()


def check_page(lines, door):
    assert screen.UNKNOWN not in "".join(lines)
    assert re.fullmatch(rf"hypertick \S+, booted by {door}, \d vCPUs?, \d+ MiB: summary", lines[0])
    assert OPTIONS in text_of("Options", lines)
    identity = 'QEMU TCG, confidence high; 0x40000000 "TCGTCGTCGTCG"'
    assert text_of("Hypervisor", lines) == identity
    rate = re.fullmatch(RATE, f"TSC {text_of('TSC', lines)}")
    assert float(rate[3]) <= float(rate[1]) <= float(rate[4])
    clocks = [line.split() for line in lines if re.match(r"  (pit|hpet|pmtimer|lapic) ", line)]
    assert [clock[0] for clock in clocks] == ["pit", "hpet", "pmtimer", "lapic"]
    assert all(clock[1] in ("live", "coarse") for clock in clocks)
    assert any(line.startswith("Claims ") for line in lines)
    assert re.match(r"\d+ passed, \d+ skipped, \d+ failed", text_of("Checks", lines))


def test_pass_on_vga():
    lines = see(vga(""), screen.vga_font(), "^Halted")
    assert len(lines) == 25
    check_page(page(lines), "multiboot1")
    assert lines[0] == page(lines)[0]  # the page has the screen for itself
    verdict, last = [line for line in lines if line][-2:]
    assert verdict.startswith("PASS: ") and last == HALTED


def check_failed(lines, door):
    """Every finding is on the page, and the first one in its last line."""
    check_page(lines, door)
    expected = f"vendor:KVM (is QEMU TCG), boot:pvh (is {door})"
    assert text_of("Expected", lines) == expected
    assert [line for line in lines if line.startswith('error: option "windwo=1": expected ')]
    verdict, last = [line for line in lines if line][-2:]
    assert verdict == 'FAIL: 1 bad option; the first is "windwo=1"; 2 more reasons'
    assert last == HALTED


FAILING = "expect=vendor:KVM,boot:pvh windwo=1"


def test_fail_on_vga():
    lines = page(see(vga(FAILING, ["-smp", "2"]), screen.vga_font(), "^Halted"))
    check_failed(lines, "multiboot1")
    assert re.match(r"2 of 2 are up; TSC offsets within ", text_of("vCPUs", lines))


def test_inconclusive_on_vga():
    lines = page(see(vga("clocks=rtc"), screen.vga_font(), "^INCONCLUSIVE: "))
    assert any(line.startswith("TSC         no rate is proven: ") for line in lines)


def test_an_exception_on_vga():
    lines = see(vga("fault=gp"), screen.vga_font(), "^FAIL: ")
    assert any("#GP general protection" in line for line in lines)


def test_framebuffer_of_uefi(tmp_path):
    """OVMF sets a graphics mode; its own picture and text are gone."""
    efi.disk(tmp_path / "disk", {"EFI/BOOT/hypertick.conf": f"{OPTIONS} {FAILING}"})
    line = [hypertick_qemu.QEMU, "-nodefaults", "-display", "none", "-machine", "q35", "-m", "256",
            "-accel", "tcg", "-cpu", "max", "-net", "none", "-vga", "std",
            "-drive", f"if=pflash,format=raw,readonly=on,file={efi.CODE}",
            "-drive", f"if=pflash,format=raw,snapshot=on,file={efi.VARIABLES}",
            "-drive", f"if=none,id=disk,format=raw,file={tmp_path}/disk",
            "-device", "ide-hd,drive=disk,bootindex=0"]  # fmt: skip
    lines = see(line, screen.own_font(), "^Halted")
    assert len(lines) > 25
    check_failed(page(lines), "efi")
    # What came before is there, too, as far as it fits.
    assert any(line.startswith("Verdicts: ") for line in lines)
