"""tools/report as its users run it: exit status, errors, text and Markdown."""

import json
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from report_runner import (
    AFTER, BEFORE, DATA, FAIL, FORMATS, INCONCLUSIVE, PASS, REPORT, TRUNCATED, changed, report
)  # fmt: skip

from hypertick_report import render, units


# --- Exit status and errors


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "logs, status",
    [
        ([PASS], 0),
        ([FAIL], 1),
        ([INCONCLUSIVE], 2),
        ([TRUNCATED], 3),
        ([BEFORE, AFTER], 0),
        ([PASS, INCONCLUSIVE], 2),
        ([INCONCLUSIVE, FAIL, PASS], 1),
        ([FAIL, TRUNCATED, INCONCLUSIVE], 3),
        ([str(DATA / "serial-mixed.log")], 0),
    ],
)
def test_exit_status_is_that_of_the_worst_run(logs, status, form):
    done = report(form, *logs)
    assert done.returncode == status
    assert done.stdout
    assert bool(done.stderr) == (status == 3)


def test_a_cut_off_log_says_what_is_missing():
    done = report("run-truncated.jsonl", cwd=DATA)
    assert done.returncode == 3
    message = "no end record: the run was cut off after 21 records; last record: measurement hpet\n"
    assert done.stderr == "run-truncated.jsonl: " + message
    assert done.stdout.endswith("\nINCOMPLETE: " + message)


def test_every_problem_is_said(tmp_path):
    log = tmp_path / "x.jsonl"
    log.write_text(changed(TRUNCATED, '"bits":64', '"bits":"64"'))
    done = report("x.jsonl", cwd=tmp_path)
    assert done.stderr.splitlines() == [
        'x.jsonl:17: clock: bits: expected integer or null, found "64"',
        "x.jsonl: no end record: the run was cut off after 21 records;"
        " last record: measurement hpet",
    ]
    assert "Also missing" in done.stdout


def test_standard_input():
    done = report("-", stdin="noise\r\n" + Path(PASS).read_text())
    assert done.returncode == 0
    assert done.stdout.startswith("standard input\n")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "the following arguments are required: LOG"),
        (["--xml", PASS], "unrecognized arguments: --xml"),
        (["--mark", PASS], "unrecognized arguments: --mark"),
        (["--csv", "--json", PASS], "not allowed with argument"),
        (["no/such.jsonl"], "cannot read no/such.jsonl: No such file or directory"),
        ([str(DATA)], "Is a directory"),
        (["-", "-"], "standard input (-) can be read only once"),
        (["--compare", PASS], "--compare expects two or more runs, found one"),
        (["--compare", "--junit", PASS, FAIL], "--compare has no JUnit form"),
    ],
)
def test_usage_errors(arguments, message):
    done = report(*arguments)
    assert done.returncode == 64
    assert done.stdout == ""
    assert message in done.stderr
    assert done.stderr.startswith("tools/report: ")
    assert done.stderr.endswith("Try 'tools/report --help'.\n")


def test_help():
    done = report("--help")
    assert done.returncode == 0
    assert done.stderr == ""
    assert max(map(len, done.stdout.splitlines())) <= 80
    for word in [*FORMATS, "--compare", "--no-compare", "LOG", "docs/ci.md", "64"]:
        assert word in done.stdout


def test_a_reader_that_leaves_early():
    line = f"'{sys.executable}' '{REPORT}' --no-compare {' '.join([repr(PASS)] * 200)} | head -n 1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {line}"], capture_output=True)
    assert done.returncode == 0
    assert done.stderr == b""


def test_the_locale_changes_nothing(tmp_path):
    log = tmp_path / "h\xf6st.jsonl"
    log.write_text(Path(PASS).read_text())
    for locale in ("C", "C.UTF-8"):
        environment = {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        done = report(str(log), env=environment)
        assert done.returncode == 0
    # A name that is not UTF-8 at all cannot be printed, but must not stop the report.
    raw = bytes(tmp_path) + b"/h\xff.jsonl"
    Path(raw.decode(errors="surrogateescape")).write_text(Path(PASS).read_text())
    for form in FORMATS:
        assert report(form, raw.decode(errors="surrogateescape")).returncode == 0


# --- Text and Markdown


def test_text_of_a_run():
    text = report(FAIL).stdout
    for line in [
        "  hypervisor  KVM, max leaf 0x40000010",
        "  hpet     stepped  2596.130165 MHz  +-23.410 ppm  +-23.201 ppm  +-11.554 ppm  1.250 ms"
        "     9120",
        "  bus      lapic    1000.000004 MHz  +-0.169 ppm  pit hpet pmtimer",
        "  leaf-0x40000010  tsc    2596.500000 MHz  +142.456 ppm  +134.155 ppm  +150.057 ppm  off",
        "  leaf-0x15 tsc        absent: highest basic leaf is 0x10",
        "  1  hpet stepped by 1.238 ms to 1.262 ms, between 402.118 ms and 402.227 ms into the"
        " measurement",
        "  vendor:Xen  fail    KVM",
        "  reserved-zero  leaf 0x40000010 ECX is 0x00000001, expected 0",
        "  warning  hpet stepped; the pit and the pmtimer did not",
    ]:
        assert line in text.splitlines(), line
    assert text.splitlines()[-1].startswith("FAIL: leaf-0x40000010 is off by +142.456 ppm;")


def test_text_of_a_long_run():
    lines = report(str(DATA / "run-monitor.jsonl")).stdout.splitlines()
    for line in [
        "  result      PASS",
        "  options     window=40ms duration=400ms checks=off expect=vendor:kvm",
        "  runs in     KVM, the program around it not named, confidence medium",
        "  gaps               1, the longest 70.008 ms",
        "  a clock went back  no",
        "  leaf-0x15 tsc, bus    absent: max basic leaf 0xd is below 0x15",
    ]:
        assert line in lines, line
    assert "vCPUs" not in lines  # there is one


@pytest.mark.parametrize(
    "line, shown",
    [("a.elf  window=1s x", "window=1s x"), ("-- a=1", "-- a=1"), ("a=1", "a=1"), ("a.elf ", "none")],
)
def test_the_name_of_the_file_is_no_option(tmp_path, line, shown):
    log = tmp_path / "run.jsonl"
    log.write_text(changed(PASS, '"options":"', f'"options":"{line}","unused":"'))
    assert f"  options     {shown}\n" in report(str(log)).stdout


def test_what_is_odd_is_shown(tmp_path):
    log = tmp_path / "run.jsonl"
    odd = {"record": "oddity", "id": "dead-clock", "subject": "hpet", "detail": "stuck: it reads 7"}
    step = {"record": "step", "clock": "pit", "kind": "pause", "segment": 1, "after_ns": 1000,
            "before_ns": 2000, "low_ns": 0, "high_ns": 0, "window": 0, "at_ns": 0, "fails": False}  # fmt: skip
    lines = Path(PASS).read_text().splitlines()
    lines[-1:-1] = [json.dumps(odd), json.dumps(step)]
    log.write_text("\n".join(lines))
    text = report(str(log)).stdout
    assert "\nOddities\n  dead-clock: hpet  stuck: it reads 7\n" in text
    assert "  1  pit stood still or ran on while the machine was stopped," in text
    done = report("--junit", str(log))
    assert '<skipped message="pit stood still or ran on while the machine was stopped, ' in done.stdout


def test_the_unknown_is_not_shown_as_zero():
    text = report(INCONCLUSIVE).stdout
    rows = text.splitlines()
    assert '  hypervisor  unknown, "ACMEVMM 2024", max leaf 0x40000010' in rows
    assert "  all    empty          -       -    -      -       -        0" in rows
    assert "  leaf-0x16        tsc    2100.000000 MHz      -         -        -" in text
    assert "inconclusive, nominal" in text
    assert rows[-1] == "INCONCLUSIVE: no reference clock is live"


@pytest.mark.parametrize(
    "arguments",
    [
        *([name] for name in (PASS, FAIL, INCONCLUSIVE, TRUNCATED)),
        [BEFORE, AFTER],
        [BEFORE, AFTER, FAIL],
        [PASS, FAIL, INCONCLUSIVE, TRUNCATED] * 8,
    ],
)
def test_text_fits_into_100_columns(arguments):
    for line in report(*arguments).stdout.splitlines():
        assert len(line) <= 100, line
        assert line == line.rstrip()
        assert line.isascii()


def test_text_fits_even_if_the_guest_is_long_winded(tmp_path):
    log = tmp_path / ("long" * 40 + ".jsonl")
    text = changed(FAIL, '"reason":"', '"reason":"' + "very long words " * 20 + "x" * 300 + " ")
    text = text.replace("leaf-0x15", "leaf-" + "y" * 60)
    text = text.replace('"error_ppb":142456', '"error_ppb":1000000000000000')
    log.write_text(text.replace('"high_ppb":150057', '"high_ppb":1000000000000000'))
    for arguments in ([str(log)], [str(log), PASS], [str(log), PASS, PASS]):
        done = report(*arguments)
        assert done.returncode == 1
        assert max(map(len, done.stdout.splitlines())) <= 100
        assert done.stdout.count("x") >= 300  # nothing was left out


def test_columns_are_aligned():
    lines = report(PASS).stdout.splitlines()
    first = lines.index("Rate of the TSC, by each clock and by all together") + 1
    table = lines[first : first + 5]
    for title, unit in (("estimate", " MHz"), ("proven", " ppm"), ("raw", " ppm")):
        end = table[0].index(title) + len(title)
        for row in table[1:]:
            assert row[end - len(unit) : end] == unit, row


def test_control_characters_do_not_reach_the_terminal(tmp_path):
    log = tmp_path / "run.jsonl"
    log.write_text(changed(PASS, '"loader":"qemu"', '"loader":"q\\u001b[2J\\u0000\\u0007emu"'))
    for form in FORMATS:
        out = report(form, str(log)).stdout
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", out)
    assert "multiboot1 from q.[2J..emu" in report(str(log)).stdout


@pytest.mark.parametrize("logs", [[FAIL], [TRUNCATED], [BEFORE, AFTER], [PASS, FAIL, INCONCLUSIVE]])
def test_markdown_tables_are_rectangular(logs):
    out = report("--markdown", *logs).stdout
    tables = re.findall(r"(?:^\|.*\|\n)+", out, re.MULTILINE)
    assert tables
    for table in tables:
        rows = table.splitlines()
        assert re.fullmatch(r"\|( -{3}:? \|)+", rows[1])
        assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {rows[1].count("|")}


def test_markdown_escapes(tmp_path):
    log = tmp_path / "run.jsonl"
    log.write_text(changed(PASS, '"known":"KVM"', '"known":"K|V`M*<b>"'))
    assert r"| K\|V\`M\*\<b> |" in report("--markdown", str(log)).stdout


# --- Numbers


@pytest.mark.parametrize(
    "shown, expected",
    [
        (units.megahertz(Decimal("2596130164.8")), "2596.130165 MHz"),
        (units.megahertz(1193182), "1.193182 MHz"),
        (units.megahertz(0), "0.000000 MHz"),
        (units.megahertz(1), "1 Hz"),
        (units.megahertz(None), "-"),
        (units.error(0), "0.000 ppm"),
        (units.error(-63), "-0.063 ppm"),
        (units.error(142456), "+142.456 ppm"),
        (units.error(9999999), "+9999.999 ppm"),
        (units.error(-10000000), "-1.000 %"),
        (units.error(1800000000), "+180.000 %"),
        (units.error(None), "-"),
        (units.within(161), "+-0.161 ppm"),
        (units.change(-5), "-5 ppb"),
        (units.change(0), "0 ppb"),
        (units.duration(0), "0 ns"),
        (units.duration(999), "999 ns"),
        (units.duration(1000), "1.000 us"),
        (units.duration(-1250031), "-1.250 ms"),
        (units.duration(1312407881), "1.312 s"),
        (units.duration(None), "-"),
        (units.half_width_ppb(999, 1002, 1000), 2000000),
        (units.half_width_ppb(10**9 - 1, 10**9, 10**9), 1),
        (units.half_width_ppb(Decimal("999999999.999"), 10**9, 10**9), 1),
        (units.half_width_ppb(0, 0, 0), None),
        (units.change_ppb(10**9, 10**9 + 1), 1),
        (units.change_ppb(2596130000, 2596131000), 385),
        (units.change_ppb(0, 5), None),
        (units.printable("a\tb\x00\u200bc"), "a.b..c"),
    ],
)
def test_numbers(shown, expected):
    assert shown == expected


def test_a_table_that_cannot_fit_is_still_shown():
    many = 30
    lines = render.text([render.Table(["h"] * many, [["123456789"] * many])]).splitlines()
    assert "".join(lines).count("h") == many
