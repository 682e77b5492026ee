"""Several runs as one table: every measured rate and every claim, and how they changed."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Callable, Optional, Union

from hypertick_report.records import Record, Run
from hypertick_report.render import Facts, Part, Section, Table, Title
from hypertick_report.summary import proven_ppb, vendor
from hypertick_report.units import NONE, change, change_ppb, error, megahertz, within

Value = Union[int, Decimal, str, None]


@dataclass
class Quantity:
    """One thing in every run. Changes are against the first run; None where there is none."""

    name: str  # "TSC", "leaf-0x40000010 tsc"
    what: str  # "measured", "proven", "claimed", "error", "verdict"
    unit: str  # "hz", "ppb", or "" for a word
    values: list[Value]
    changes_ppb: list[Optional[int]]
    # For measured rates: do the enclosures exclude that nothing changed?
    changes_proven: list[Optional[bool]]


def quantities(runs: list[Run]) -> list[Quantity]:
    found = []
    measured = [("TSC", [_measured(run) for run in runs])]
    for of in dict.fromkeys(rate["of"] for run in runs for rate in run.records("rate")):
        measured.append((of, [run.rate(of) for run in runs]))
    for name, records in measured:
        found += _rate_quantities(name, records)
    claims = [claim for run in runs for claim in run.records("claim")]
    for source, clock in dict.fromkeys((claim["source"], claim["clock"]) for claim in claims):
        found += _claim_quantities(source, clock, runs)
    return found


def _measured(run: Run) -> Optional[Record]:
    record = run.measurement("all")
    return record if record and record["estimate_hz"] is not None else None


def _rate_quantities(name: str, records: list[Optional[Record]]) -> list[Quantity]:
    rates = [record["estimate_hz"] if record else None for record in records]
    bounds = [proven_ppb(record) if record else None for record in records]
    proven = [_disjoint(records[0], record) for record in records]
    nothing: list[Optional[bool]] = [None] * len(records)
    none: list[Optional[int]] = [None] * len(records)
    return [
        Quantity(name, "measured", "hz", list(rates), _changes(rates, change_ppb), proven),
        Quantity(name, "proven", "ppb", list(bounds), none, nothing),
    ]


def _claim_quantities(source: str, clock: str, runs: list[Run]) -> list[Quantity]:
    claims = [run.claim(source, clock) for run in runs]
    hz = [claim["hz"] if claim and claim["status"] == "present" else None for claim in claims]
    if all(value is None for value in hz):
        return []
    verdicts = [run.verdict(source, clock) for run in runs]
    errors = [verdict["error_ppb"] if verdict else None for verdict in verdicts]
    words: list[Value] = [_word(claim, verdict) for claim, verdict in zip(claims, verdicts)]
    name = f"{source} {clock}"
    nothing: list[Optional[bool]] = [None] * len(runs)
    none: list[Optional[int]] = [None] * len(runs)
    return [
        Quantity(name, "claimed", "hz", list(hz), _changes(hz, change_ppb), nothing),
        Quantity(name, "error", "ppb", list(errors), _changes(errors, _difference), nothing),
        Quantity(name, "verdict", "", words, none, nothing),
    ]


def _word(claim: Optional[Record], verdict: Optional[Record]) -> str:
    if verdict:
        return verdict["verdict"] + (", nominal" if verdict["nominal"] else "")
    return claim["status"] if claim else "not recorded"


def _disjoint(before: Optional[Record], after: Optional[Record]) -> Optional[bool]:
    if before is None or after is None or before is after:
        return None
    bounds = [record[which] for record in (before, after) for which in ("low_hz", "high_hz")]
    if None in bounds:
        return None
    return bounds[1] < bounds[2] or bounds[3] < bounds[0]


def _difference(before: int, after: int) -> int:
    return after - before


def _changes(values: list, change_of: Callable) -> list[Optional[int]]:
    first = values[0]
    return [
        None if index == 0 or first is None or value is None else change_of(first, value)
        for index, value in enumerate(values)
    ]


def labels(runs: list[Run]) -> list[str]:
    """Short names for columns: A, B, ..., Z, then by number."""
    if len(runs) > 26:
        return [str(number) for number in range(1, len(runs) + 1)]
    return [chr(ord("A") + index) for index in range(len(runs))]


def document(runs: list[Run]) -> list[Part]:
    names = labels(runs)
    two = len(runs) == 2
    parts: list[Part] = [Title(f"{len(runs)} runs compared"), _legend(runs, names)]
    rows: list[list[str]] = []
    for quantity in quantities(runs):
        # A name stands once, at the first of its rows.
        name = quantity.name if quantity.what in ("measured", "claimed") else ""
        row = [name, quantity.what, *(_shown(quantity, value) for value in quantity.values)]
        if two:
            rows.append([*row, _change(quantity, 1)])
            continue
        rows.append(row)
        if any(value is not None for value in quantity.changes_ppb):
            shown = [_change(quantity, index) for index in range(1, len(runs))]
            rows.append(["", f"  against {names[0]}", "", *shown])
    header = ["rate or claim", "", *(f">{name}" for name in names)]
    if two:
        header = ["rate or claim", "", f">before ({names[0]})", f">after ({names[1]})", "change"]
    if rows:
        parts += [Section("Measured rates and claims"), Table(header, rows, fixed=2)]
    problems = [("incomplete", problem) for run in runs for problem in run.problems]
    if problems:
        parts += [Section("What is missing"), Facts(problems)]
    return parts


def _legend(runs: list[Run], names: list[str]) -> Table:
    rows = [
        [name, run.name, run.result, vendor(run), _cpu(run), run.reason]
        for name, run in zip(names, runs)
    ]
    return Table(["run", "log", "result", "hypervisor", "CPU", "reason"], rows)


def _cpu(run: Run) -> str:
    return run.hypervisor["cpu_vendor"] if run.hypervisor else NONE


def _shown(quantity: Quantity, value: Value) -> str:
    if value is None or isinstance(value, str):
        return value or NONE
    if quantity.unit == "hz":
        return megahertz(value)
    return within(int(value)) if quantity.what == "proven" else error(int(value))


def _change(quantity: Quantity, index: int) -> str:
    if quantity.what == "proven":
        return ""
    if not quantity.unit:
        return "" if quantity.values[0] == quantity.values[index] else "changed"
    shown = change(quantity.changes_ppb[index])
    if quantity.changes_proven[index] is not None:
        shown += ", proven" if quantity.changes_proven[index] else ", unproven"
    return shown
