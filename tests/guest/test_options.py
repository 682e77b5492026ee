"""The option line: what is wrong in it fails by name, and what is right is done."""

import json
import re

import pytest

from qemu import FAIL, PASS, ROOT, boot, screen

SHORT = "window=50ms"

KEYS = re.findall(r'^    \{"([a-z0-9]+)", "', (ROOT / "lib/options.c").read_text(), re.MULTILINE)
ERRORS_LISTED = 16  # by a report: OPTION_ERRORS_MAX

# What one boot is given: no key twice, since a repetition is an error of its own.
WRONG = [
    ["window=soon", "precision=fine", "tolerance=-1ppm", "stop=never", "clocks=sundial", "com1=xml",
     "com2=tap+json", "debugcon=loud", "screen=on", "expect=luck", "exit=stage-left", "strict=maybe",
     "scan=deep", "fault=nmi", "checks=some", "cpus=0"],
    ["window=0", "clocks=", "expect=colour:red", "WINDOW=10ms", "=5", "windows=10ms", "skew=2s",
     "cpus=65537", "tolerance=0ppb", "com3=on", "com4=auto", "pciserial=yes", "precision=1%"],
    ["window=100", "expect=tsc:fast", "words"],
    ["window=99999h", "expect=claim:leaf-0x40000010:perhaps", "window"],
]  # fmt: skip


@pytest.mark.parametrize("words", WRONG)
def test_wrong_words_fail_by_name(words):
    # A line's first word, if it has no '=', is dropped, as a loader's file name is.
    run = boot(options=" ".join([SHORT, *words]))
    assert run.status == FAIL
    errors = run.notes("error")
    assert len(errors) == len(words)
    for word, error in zip(words, errors):
        assert error.startswith(f'option "{word}": expected ')
        assert re.search(r"; (using |it is ignored$)", error)
    assert f'"{words[0]}"' in run.last_line


def test_the_document_has_every_key_and_every_word_of_loaders():
    document = (ROOT / "docs/options.md").read_text()
    source = (ROOT / "kernel/boot_protocol.c").read_text()
    words = re.findall(r'^    "([^"]+)",$', source, re.MULTILINE)
    assert len(words) > 20
    assert [word for word in KEYS + words if f"`{word}`" not in document] == []


def test_each_key_with_a_wrong_value():
    assert len(KEYS) >= 20
    for first in range(0, len(KEYS), ERRORS_LISTED):
        keys = KEYS[first : first + ERRORS_LISTED]
        run = boot(options=" ".join([SHORT, *(f"{key}=?" for key in keys)]))
        assert run.status == FAIL
        assert [re.search('"(.*?)=', error)[1] for error in run.notes("error")] == keys


def test_every_wrong_word_is_named():
    words = ["precision=fine", "stop=never", "sundial=1"]
    run = boot(options=" ".join([SHORT, *words]))
    assert run.status == FAIL
    text = "\n".join(run.notes("error"))
    assert all(f'"{word}"' in text for word in words)


def test_a_repeated_key_is_an_error():
    run = boot(options=f"{SHORT} {SHORT}")
    assert run.status == FAIL


def test_a_long_option_line_is_not_cut_in_silence():
    run = boot(options=SHORT + " x=" + "y" * 3000)
    assert run.status == FAIL


def test_what_is_expected_and_found():
    run = boot(options=f"{SHORT} expect=vendor:qemu-tcg,boot:multiboot1,clock:hpet:live,"
                       "clock:lapic:live,claim:leaf-0x40000010:absent")  # fmt: skip
    assert run.status == PASS
    results = [record["result"] for record in run.records.records("expect")]
    assert results == ["pass"] * 5


@pytest.mark.parametrize(
    "expectation",
    ["vendor:KVM", "boot:pvh", "clock:hpet:absent", "claim:leaf-0x15:ok", "tsc:1khz"],
)
def test_what_is_expected_and_not_found(expectation):
    run = boot(options=f"{SHORT} expect={expectation}")
    assert run.status == FAIL
    (record,) = run.records.records("expect")
    assert record["expect"] == expectation
    assert record["result"] == "fail"
    assert expectation in run.last_line


def test_the_window_ends_early_once_the_precision_is_proven():
    early = boot(options="window=10s precision=50ppm").records.measurement("all")
    assert early["window_ns"] < 5 * 10**9
    half_width = (early["high_hz"] - early["low_hz"]) / 2
    assert half_width <= early["estimate_hz"] * 50 / 10**6
    full = boot(options="window=200ms precision=0").records.measurement("all")
    assert full["window_ns"] >= 190 * 10**6


def test_json_and_text_change_places():
    run = boot(options=f"{SHORT} com1=json com2=text", silent=True)
    assert run.status == PASS
    kinds = [json.loads(line)["record"] for line in run.text.splitlines()]
    assert (kinds[0], kinds[-1]) == ("start", "end")
    assert run.com2.decode().strip().splitlines()[-1].startswith("PASS: ")


def test_text_and_json_on_one_line():
    run = boot(options=f"{SHORT} com1=text+json")
    assert run.status == PASS
    lines = [line for line in run.text.splitlines() if line.startswith('{"record"')]
    assert lines == run.com2.decode().replace("\r\n", "\n").splitlines()


def test_tap():
    run = boot(options=f"{SHORT} com1=tap")
    assert run.status == PASS
    lines = run.text.splitlines()
    assert lines[0] == "TAP version 14"
    points = [re.fullmatch(r"(not )?ok (\d+) - .*", line) for line in lines]
    numbers = [int(match[2]) for match in points if match]
    assert len(numbers) > 3
    assert numbers == list(range(1, len(numbers) + 1))
    assert f"1..{len(numbers)}" in lines
    assert not any(line.startswith("not ok") for line in lines)
    assert all(line.startswith(("ok ", "# ", "1..", "TAP ")) for line in lines)


def test_tap_of_a_failure():
    run = boot(options=f"{SHORT} com1=tap expect=vendor:KVM")
    assert run.status == FAIL
    assert sum(line.startswith("not ok") for line in run.text.splitlines()) == 1


def test_the_debug_console():
    run = boot(options=f"{SHORT} debugcon=text")
    assert run.status == PASS
    # The sinks section tells which sinks are open, and the progress is the same; so are the bytes.
    assert run.debugcon.decode().replace("\r\n", "\n") == run.text


def test_the_debug_console_is_quiet_by_default():
    assert boot(options=SHORT).debugcon == b""


def test_the_screen():
    lines = screen(f"{SHORT} exit=halt", b"\r\nPASS: ")
    assert any(line.startswith("PASS: ") for line in lines)
    assert sum(bool(line) for line in lines) > 10


def test_without_serial_ports_the_debug_console_speaks():
    run = boot(options=f"{SHORT} debugcon=text", com1=False, com2=False, silent=True)
    assert run.status == PASS
    assert run.debugcon.decode().strip().splitlines()[-1].startswith("PASS: ")


def test_without_any_sink_the_status_remains():
    run = boot(options=SHORT, com1=False, com2=False, silent=True)
    assert run.status == PASS
    assert boot(options=f"{SHORT} expect=vendor:KVM", com1=False, com2=False, silent=True).status == FAIL


def test_a_missing_port_is_told_on_the_others():
    run = boot(options=SHORT, com1=False)
    assert run.status == PASS
    assert run.com1 == b""


@pytest.mark.parametrize("machine", ["pc", "q35"])
@pytest.mark.parametrize("way", ["acpi", "reset"])
def test_exits_without_a_status(machine, way):
    run = boot(machine=machine, options=f"{SHORT} exit={way}", bare_exit=True)
    assert run.records.end["result"] == "pass"


def test_the_exit_that_is_forced():
    """exit=qemu writes the port of isa-debug-exit without asking who is there."""
    bare = "max,-hypervisor,tcg-cpuid=off"
    assert boot(cpu=bare, options=f"{SHORT} exit=qemu").status == PASS
