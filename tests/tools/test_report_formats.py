"""tools/report for other programs: comparisons, CSV, JSON and JUnit."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ElementTree
from decimal import Decimal
from pathlib import Path

from report_runner import (
    AFTER, BEFORE, DATA, FAIL, INCONCLUSIVE, PASS, TRUNCATED, changed, report
)  # fmt: skip

from hypertick_report import comparison
from hypertick_report.records import read


# --- Comparison


def test_two_runs():
    out = report("run-before.jsonl", "run-after.jsonl", cwd=DATA).stdout
    rows = [re.split(r" {2,}", line.strip()) for line in out.splitlines()]
    assert ["A", "run-before.jsonl", "pass", "KVM", "AuthenticAMD"] in [row[:5] for row in rows]
    # 2596131202.7 / 2596130164.8 is 399.79 ppb more, and 1000 Hz are 385.19 ppb.
    for row in [
        ["TSC", "measured", "2596.130165 MHz", "2596.131203 MHz", "+400 ppb, proven"],
        ["proven", "+-0.170 ppm", "+-0.176 ppm"],
        ["bus", "measured", "1000.000004 MHz", "1000.000004 MHz", "0 ppb, unproven"],
        ["leaf-0x40000010 tsc", "claimed", "2596.130000 MHz", "2596.131000 MHz", "+385 ppb"],
        ["error", "-0.063 ppm", "-0.078 ppm", "-15 ppb"],
        ["verdict", "ok", "ok"],
    ]:
        assert row in rows, row


def test_changes_of_verdicts_and_claims():
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in report("--markdown", BEFORE, FAIL).stdout.splitlines()
    ]
    assert [
        "leaf-0x40000010 tsc",
        "claimed",
        "2596.130000 MHz",
        "2596.500000 MHz",
        "+142520 ppb",
    ] in rows
    assert ["", "verdict", "ok", "off", "changed"] in rows
    rows = report("--csv", TRUNCATED, INCONCLUSIVE).stdout.splitlines()
    assert "leaf-0x16 tsc,claimed,hz,,2100000000," in rows
    assert 'leaf-0x16 tsc,verdict,,absent,"inconclusive, nominal",' in rows
    assert "TSC,measured,hz,,," in rows


def test_a_change_is_proven_only_if_the_enclosures_are_disjoint():
    def runs(low, high):
        text = Path(BEFORE).read_text()
        (other,) = read(text, "b")
        measured = other.measurement()
        measured.update(low_hz=low, high_hz=high, estimate_hz=(low + high) / 2)
        return [read(text, "a")[0], other]

    first = read(Path(BEFORE).read_text(), "a")[0].measurement()
    low, high = first["low_hz"], first["high_hz"]
    tick = Decimal("0.001")
    for bounds, proven in [
        ((high + tick, high + 9), True),
        ((high, high + 9), False),
        ((low - 9, low - tick), True),
        ((low - 9, low), False),
        ((low, high), False),
        ((low + tick, high - tick), False),
    ]:
        quantity = comparison.quantities(runs(*bounds))[0]
        assert quantity.changes_proven == [None, proven], bounds


def test_three_runs_and_more_have_a_column_each():
    out = report("--csv", BEFORE, AFTER, FAIL).stdout
    rows = list(csv.reader(io.StringIO(out)))
    assert rows[0][:3] == ["name", "what", "unit"]
    assert rows[0][3:6] == [f"A {BEFORE}", f"B {AFTER}", f"C {FAIL}"]
    assert rows[0][6:] == [f"B {AFTER} change_ppb", f"C {FAIL} change_ppb"]
    claimed = next(row for row in rows if row[:2] == ["leaf-0x40000010 tsc", "claimed"])
    assert claimed[2:] == ["hz", "2596130000", "2596131000", "2596500000", "385", "142520"]
    assert {len(row) for row in rows} == {8}
    text = report(BEFORE, AFTER, FAIL).stdout
    assert "  rate or claim " in text and "against A" in text


def test_a_wide_comparison_goes_on_below():
    out = report(*[BEFORE, AFTER] * 5).stdout
    headers = [line.split() for line in out.splitlines() if line.startswith("  rate or claim")]
    assert len(headers) > 2
    assert [label for header in headers for label in header[3:]] == list("ABCDEFGHIJ")


def test_no_compare_shows_every_run():
    out = report("--no-compare", BEFORE, AFTER).stdout
    assert out.count("PASS: every claim is within tolerance\n") == 2
    assert "compared" not in out


def test_runs_of_one_log_are_compared(tmp_path):
    log = tmp_path / "both.jsonl"
    log.write_text(Path(BEFORE).read_text() + Path(AFTER).read_text())
    out = report("both.jsonl", cwd=tmp_path).stdout
    assert "both.jsonl#1" in out and "both.jsonl#2" in out and "+385 ppb" in out


# --- CSV and JSON


def test_csv_of_runs():
    rows = list(csv.DictReader(io.StringIO(report("--csv", "--no-compare", PASS, FAIL).stdout)))
    assert {row["log"] for row in rows} == {PASS, FAIL}
    claim = next(row for row in rows if row["log"] == FAIL and row["name"] == "leaf-0x40000010")
    assert (claim["kind"], claim["clock"], claim["hz"]) == ("claim", "tsc", "2596500000")
    assert (claim["error_ppb"], claim["verdict"], claim["nominal"]) == ("142456", "off", "false")
    assert claim["reason"] == "beyond tolerance and granularity"
    combined = next(row for row in rows if row["log"] == PASS and row["name"] == "all")
    assert combined["hz"] == "2596130164.8"
    assert combined["samples"] == "36480"
    # 2596130611.334 - 2596130164.8 is 172.0 ppb, the lower side is closer.
    assert combined["proven_ppb"] == "172"
    rate = next(row for row in rows if row["kind"] == "rate")
    assert (rate["name"], rate["clock"], rate["hz"]) == ("lapic", "bus", "1000000004.113")


def test_json_of_a_run():
    (run,) = json.loads(report("--json", FAIL).stdout)["runs"]
    assert run["result"] == "fail"
    assert run["problems"] == []
    claim = run["claims"][0]
    assert claim["hz"] == 2596500000
    assert claim["verdict"]["error_ppb"] == 142456
    assert run["claims"][-1]["verdict"] is None
    assert run["measurements"][-1]["estimate_hz"] == 2596130164.8
    assert '"estimate_hz": 2596130164.8,' in report("--json", FAIL).stdout
    assert run["steps"][0]["clock"] == "hpet"
    assert run["end"]["records"] == 35


def test_json_of_a_comparison_and_of_a_cut_off_run():
    merged = json.loads(report("--json", PASS, TRUNCATED).stdout)
    assert merged["status"] == 3
    assert [run["result"] for run in merged["runs"]] == ["pass", "incomplete"]
    assert "cut off after 21 records" in merged["runs"][1]["problems"][0]
    assert merged["comparison"][0]["values"] == [2596130164.8, None]
    assert "comparison" not in json.loads(report("--json", PASS).stdout)


# --- JUnit


def junit(*logs):
    """{suite name: {(group, name): outcome}}, with the totals checked."""
    root = ElementTree.fromstring(report("--junit", *logs).stdout)
    suites = {}
    for suite in root.iter("testsuite"):
        cases = {}
        for case in suite.iter("testcase"):
            group = case.get("classname").removeprefix(suite.get("name") + ".")
            outcomes = [child.tag for child in case]
            assert len(outcomes) <= 1 and all(child.get("message") for child in case)
            cases[group, case.get("name")] = outcomes[0] if outcomes else "passed"
        assert len(cases) == int(suite.get("tests")) == len(list(suite.iter("testcase")))
        for total, outcome in (("failures", "failure"), ("errors", "error"), ("skipped",) * 2):
            assert int(suite.get(total)) == list(cases.values()).count(outcome)
        suites[suite.get("name")] = cases
    return suites


def test_junit_of_a_pass():
    assert junit(PASS) == {
        PASS: {
            ("run", "log is whole"): "passed",
            ("run", "result"): "passed",
            ("run", "no step"): "passed",
            ("verdict", "leaf-0x40000010 tsc"): "passed",
            ("verdict", "leaf-0x40000010 bus"): "passed",
            ("expect", "vendor:KVM"): "passed",
            ("expect", "claim:leaf-0x40000010:ok"): "passed",
        }
    }


def test_junit_of_a_fail():
    assert junit(FAIL) == {
        FAIL: {
            ("run", "log is whole"): "passed",
            ("run", "result"): "failure",
            ("run", "no step"): "failure",
            ("verdict", "leaf-0x40000010 tsc"): "failure",
            ("verdict", "leaf-0x40000010 bus"): "passed",
            ("expect", "vendor:Xen"): "failure",
            ("check", "max-leaf-plausible"): "passed",
            ("check", "reserved-zero"): "skipped",
            ("check", "vmware-port"): "skipped",
        }
    }


def test_junit_of_the_others():
    suites = junit(INCONCLUSIVE, TRUNCATED)
    assert set(suites[INCONCLUSIVE].values()) == {"passed", "skipped"}
    assert suites[INCONCLUSIVE]["run", "result"] == "skipped"
    assert suites[INCONCLUSIVE]["run", "no step"] == "skipped"
    assert suites[TRUNCATED] == {
        ("run", "log is whole"): "error",
        ("run", "no step"): "skipped",
    }


def test_junit_informs_of_nominal_claims_and_checks_unless_strict(tmp_path):
    log = tmp_path / "run.jsonl"
    text = changed(FAIL, '"verdict":"off","nominal":false', '"verdict":"off","nominal":true')
    for options, outcome in (("", "skipped"), (" strict=on", "failure")):
        log.write_text(text.replace("tolerance=50ppm", "tolerance=50ppm" + options))
        (cases,) = junit(str(log)).values()
        assert cases["verdict", "leaf-0x40000010 tsc"] == outcome
        assert cases["check", "reserved-zero"] == outcome


def test_junit_tells_a_change_of_rate_from_a_step(tmp_path):
    log = tmp_path / "run.jsonl"
    log.write_text(changed(FAIL, '"kind":"step"', '"kind":"rate"'))
    (cases,) = junit(str(log)).values()
    assert cases["run", "no step"] == "passed"
    assert cases["run", "no change of rate"] == "skipped"


def test_junit_of_repeated_verdicts(tmp_path):
    log = tmp_path / "run.jsonl"
    lines = Path(PASS).read_text().splitlines(keepends=True)
    index = next(i for i, line in enumerate(lines) if line.startswith('{"record":"verdict"'))
    lines.insert(index, lines[index])
    log.write_text("".join(lines).replace('"records":30', '"records":31'))
    (cases,) = junit(str(log)).values()
    assert ("verdict", "leaf-0x40000010 tsc (2)") in cases


# --- vCPUs

SMP = str(DATA / "run-smp.jsonl")


def smp(tmp_path, options="", **fields):
    """The run of two vCPUs with the later fields, and vCPU 1 as given."""
    lines = []
    for line in Path(SMP).read_text().splitlines():
        record = json.loads(line)
        if record["record"] == "start":
            record["options"] += options
        if record["record"] == "vcpu":
            record |= {"pvclock_hz": 2596130000.779, "pvclock_stable": True, "claims": "none"}
            record |= {"pvclock_low_ns": None, "pvclock_high_ns": None}
            record |= fields if record["index"] else {}
        lines.append(json.dumps(record, separators=(",", ":")))
    log = tmp_path / "smp.jsonl"
    log.write_text("\n".join(lines) + "\n")
    return str(log)


def test_csv_has_a_row_for_each_vcpu(tmp_path):
    log = smp(tmp_path, claims="same", tsc_adjust=-5, differences=2, difference="leaf 0x1.0: 0")
    rows = list(csv.DictReader(io.StringIO(report("--csv", log).stdout)))
    first, second = (row for row in rows if row["kind"] == "vcpu")
    assert (first["name"], first["status"], first["verdict"]) == ("0", "up", "none")
    assert first["offset_low_ns"] == ""
    named = ("name", "clock", "hz", "verdict", "offset_low_ns", "offset_high_ns", "rate_low_ppb",
             "rate_high_ppb", "exchanges", "exchange_min_ns", "tsc_adjust", "differences",
             "claims")  # fmt: skip
    assert [second[name] for name in named] == [
        "1", "tsc", "2596130000.779", "ok", "-39", "371", "-10888", "11006", "514", "410", "-5", "2",
        "same",
    ]  # fmt: skip


def test_json_has_the_vcpus():
    (run,) = json.loads(report("--json", SMP).stdout)["runs"]
    assert [vcpu["index"] for vcpu in run["vcpus"]] == [0, 1]
    assert run["vcpus"][1]["offset_high_ns"] == 371
    assert run["vcpus_together"]["start_ns"] == 48675588
    assert run["warp"]["reads"] == 40000
    (run,) = json.loads(report("--json", PASS).stdout)["runs"]
    assert (run["vcpus"], run["vcpus_together"], run["warp"]) == ([], None, None)


def test_text_and_markdown_have_the_vcpus(tmp_path):
    out = report("--markdown", SMP).stdout
    assert "- up: 2 of 2, 2 are known of\n- started in: 48.676 ms\n- verdicts: 1 ok\n" in out
    assert "40000 readings by 2 vCPUs at once: none went backwards" in out
    assert "| 1 | up | -39 ns | 371 ns | -10.888 ppm | +11.006 ppm | 410 ns | ok |" in out
    assert "vCPU" not in report(PASS).stdout.split("options")[1]
    text = report("--markdown", smp(tmp_path, verdict="off", reason="it changed", claims="apart",
                  pvclock_low_ns=1500, pvclock_high_ns=1600)).stdout  # fmt: skip
    assert "| off; it changed; its pvclock is 1.500 us to 1.600 us ahead of CPU 0's |" in text
    text = report(smp(tmp_path, differences=1, difference="leaf 0x7.0: 0x1", claims="off")).stdout
    assert "it is told another rate than CPU 0: off" in " ".join(text.split())


def test_junit_has_a_case_for_each_other_vcpu(tmp_path):
    def outcome(options="", **fields):
        (cases,) = junit(smp(tmp_path, options, **fields)).values()
        assert ("vcpu", "vCPU 0") not in cases
        return cases["vcpu", "vCPU 1"]

    assert outcome() == "passed"
    assert outcome(verdict="off", reason="its offset changed") == "failure"
    assert outcome(status="faulted", reason="CPU exception 6") == "failure"
    assert outcome(claims="off") == "failure"
    for fields in ({"status": "absent", "verdict": "none", "reason": "it did not come up"},
                   {"differences": 1, "difference": "leaf 0x1.0: 0"},
                   {"claims": "missing"},
                   {"claims": "apart", "pvclock_low_ns": 1500, "pvclock_high_ns": 1600}):  # fmt: skip
        assert outcome(**fields) == "skipped"
        assert outcome(" strict=on", **fields) == "failure"
    slow = {"verdict": "inconclusive", "reason": "the exchange is too slow to tell"}
    assert outcome(**slow) == outcome(" strict=on", **slow) == "skipped"
