"""The records of a guest run, for the guest tests.

    run = records.load(serial_log)
    assert run.end["result"] == "pass"
    assert run.claim("leaf-0x40000010", "tsc")["status"] == "present"
    assert run.measurement("all")["low_hz"] <= 10**9 <= run.measurement("all")["high_hz"]

`load` accepts nothing but one whole run: every record valid by docs/records.schema.json, as many as
the end record counts, and no record at odds with another. `Run` is the class of tools/report.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import jsonschema

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT / "tools") not in sys.path:
    sys.path.insert(0, str(ROOT / "tools"))

from hypertick_report import schema  # noqa: E402
from hypertick_report.records import Record, Run, read  # noqa: E402

__all__ = ["Record", "Run", "contradictions", "load", "read", "validate"]

VALIDATOR = jsonschema.Draft202012Validator(schema.load())

# Fields that must not decrease, by kind of record. A null among them ends the comparison.
ASCENDING = {
    "measurement": [("low_hz", "estimate_hz", "high_hz"), ("raw_low_hz", "raw_high_hz")],
    "rate": [("low_hz", "estimate_hz", "high_hz")],
    "clock": [("read_min_ns", "read_median_ns", "read_p99_ns", "read_max_ns")],
    "verdict": [("low_ppb", "error_ppb", "high_ppb")],
    "step": [("after_ns", "before_ns"), ("low_ns", "high_ns")],
    "offset": [("low_ns", "high_ns")],
}


def load(log: str, name: str = "log") -> Run:
    """The one run in a log. An AssertionError lists everything that is wrong with it."""
    runs = read(log, name)
    assert len(runs) == 1, f"{name}: expected one run, found {len(runs)}: was the guest reset?"
    run = runs[0]
    unknown = [f"{name}: unknown kind of record: {kind}" for kind in run.unknown]
    wrong = run.problems + unknown + validate(run) + contradictions(run)
    assert not wrong, "\n".join(wrong)
    return run


def validate(run: Run) -> list[str]:
    """What the schema has against any record, by a full JSON Schema implementation."""
    found = [
        f"{run.name}: {record['record']}: {'.'.join(map(str, error.path))}: {error.message}"
        for record in run.all
        for error in VALIDATOR.iter_errors(record)
    ]
    # "At most 3 decimals" cannot be said in JSON Schema without binary fractions.
    for record in run.all:
        for field, value in record.items():
            if isinstance(value, Decimal) and value.as_tuple().exponent < -3:
                found.append(f"{run.name}: {record['record']}: {field}: {value}: over 3 decimals")
    return found


def contradictions(run: Run) -> list[str]:
    """Where fields, or records, do not agree with each other."""
    found = []
    for record in run.all:
        for fields in ASCENDING.get(record["record"], []):
            values = [record[field] for field in fields]
            if None not in values and values != sorted(values):
                found.append(f"{fields} must not decrease: {values}")
        if record["record"] == "measurement":
            found += _not_widened(record)
        if record["record"] == "verdict":
            found += _misjudged(run, record)
    return [f"{run.name}: {text}" for text in found]


def _not_widened(measurement: Record) -> list[str]:
    bounds = [measurement[f] for f in ("low_hz", "raw_low_hz", "raw_high_hz", "high_hz")]
    if None in bounds or bounds[0] <= bounds[1] and bounds[2] <= bounds[3]:
        return []
    return [f"measurement {measurement['clock']}: widened must hold raw: {list(map(str, bounds))}"]


def _misjudged(run: Run, verdict: Record) -> list[str]:
    name = f"verdict {verdict['source']} {verdict['clock']}"
    claim = run.claim(verdict["source"], verdict["clock"])
    if claim is None or claim["status"] != "present":
        return [f"{name}: there is no such claim"]
    low, high, allowed = (verdict[f] for f in ("low_ppb", "high_ppb", "allowed_ppb"))
    if None in (low, high):
        return []
    inside = -allowed <= low and high <= allowed
    outside = low > allowed or high < -allowed
    word = "ok" if inside else "off" if outside else "inconclusive"
    found = []
    if verdict["verdict"] != word:
        found.append(f"{name}: {low} to {high} ppb, allowed {allowed}: expected {word}")
    rate = run.measurement("all") if verdict["clock"] == "tsc" else run.rate(verdict["clock"])
    if rate and rate["estimate_hz"]:
        true = Fraction(rate["estimate_hz"])
        error = (Fraction(claim["hz"]) - true) * 10**9 / true
        # The records round to 1 mHz and to 1 ppb, and errors saturate at 10^15 ppb.
        if abs(error - verdict["error_ppb"]) > 2 and abs(error) < 10**15:
            found.append(f"{name}: expected an error of {float(error):.1f} ppb: {verdict}")
    return found


# What a record says about the machine, and not about the moment at which it was measured.
LASTING = {
    "hypervisor": ("present", "vendor", "signature", "max_leaf"),
    "block": ("scan", "base", "signature", "max_leaf", "known"),
    "claim": ("source", "clock", "status", "hz", "reason"),
    "clock": ("clock", "status", "nominal_hz", "bits", "independence", "detail"),
    "evidence": ("source", "finding", "points_to"),
    "identity": ("conclusion", "confidence"),
    "check": ("id", "result"),
    "verdict": ("source", "clock", "verdict"),
}


def lasting(run: Run, leave_out: tuple[str, ...] = ()) -> dict[str, list[tuple]]:
    return {
        kind: [tuple(record.get(field) for field in fields) for record in run.records(kind)]
        for kind, fields in LASTING.items()
        if kind not in leave_out
    }


def check_same(run: Run, reference: Run, leave_out: tuple[str, ...] = ()) -> None:
    """Both tell the same about the machine."""
    found, expected = lasting(run, leave_out), lasting(reference, leave_out)
    for kind, rows in expected.items():
        assert rows, f"no {kind} record: nothing is compared"
        assert found[kind] == rows
