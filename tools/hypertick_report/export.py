"""Runs for other programs: CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from typing import Any, Optional

from hypertick_report.comparison import labels, quantities
from hypertick_report.records import Record, Run
from hypertick_report.summary import judged_claims, proven_ppb, vendor
from hypertick_report.units import printable

CSV_HEADER = [
    "log", "result", "hypervisor", "kind", "name", "clock", "status", "nominal", "hz",
    "granularity_hz", "low_hz", "high_hz", "proven_ppb", "raw_low_hz", "raw_high_hz", "limit_ppb",
    "defect_ns", "samples", "window_ns", "error_ppb", "low_ppb", "high_ppb", "allowed_ppb",
    "verdict", "reason", "offset_low_ns", "offset_high_ns", "rate_low_ppb", "rate_high_ppb",
    "exchanges", "exchange_min_ns", "tsc_adjust", "differences", "claims",
]  # fmt: skip


def csv_rows(runs: list[Run]) -> str:
    """One row per measurement, rate, claim and vCPU."""
    rows: list[dict[str, Any]] = []
    for run in runs:
        about = {"log": run.name, "result": run.result, "hypervisor": vendor(run)}
        for record in run.records("measurement"):
            rows.append({**about, **_enclosure(record, record["clock"], "tsc")})
        for record in run.records("rate"):
            rows.append({**about, **_enclosure(record, record["clock"], record["of"])})
        for claim, verdict in judged_claims(run):
            row = {**about, **claim, "kind": "claim", "name": claim["source"]}
            if verdict:
                both = [claim["reason"], verdict["reason"]]
                row |= {**verdict, "reason": "; ".join(filter(None, both))}
            rows.append(row)
        for vcpu in run.records("vcpu"):
            named = {"kind": "vcpu", "name": vcpu["index"], "clock": "tsc"}
            rows.append({**about, **vcpu, **named, "hz": vcpu.get("pvclock_hz")})
    return _csv(CSV_HEADER, [[row.get(field) for field in CSV_HEADER] for row in rows])


def _enclosure(record: Record, name: str, clock: str) -> dict[str, Any]:
    about = {"kind": record["record"], "name": name, "clock": clock, "hz": record["estimate_hz"]}
    return {**record, **about, "proven_ppb": proven_ppb(record)}


def csv_comparison(runs: list[Run]) -> str:
    """One row per quantity; a column per run, and a column of its change against the first."""
    names = [f"{label} {run.name}" for label, run in zip(labels(runs), runs)]
    header = ["name", "what", "unit", *names, *(f"{name} change_ppb" for name in names[1:])]
    rows = [[q.name, q.what, q.unit, *q.values, *q.changes_ppb[1:]] for q in quantities(runs)]
    return _csv(header, rows)


def _csv(header: list[str], rows: list[list[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in [header, *rows]:
        writer.writerow([_csv_cell(value) for value in row])
    return out.getvalue()


def _csv_cell(value: Any) -> str:
    if value is None:
        return ""
    return printable(str(value).lower() if isinstance(value, bool) else value)


def json_summary(runs: list[Run], status: int, compare: bool) -> str:
    """Everything, merged: each claim with its verdict, and the comparison where there is one."""
    summary: dict[str, Any] = {"status": status, "runs": [_json_run(run) for run in runs]}
    if compare:
        summary["comparison"] = [vars(quantity) for quantity in quantities(runs)]
    # Hertz have at most 15 significant digits, which a double holds exactly enough to print again.
    return json.dumps(summary, indent=2, default=float) + "\n"


def _json_run(run: Run) -> dict[str, Any]:
    def plain(record: Optional[Record]) -> Optional[Record]:
        return record and {name: value for name, value in record.items() if name != "record"}

    return {
        "log": run.name,
        "result": run.result,
        "reason": run.reason,
        "problems": run.problems,
        "unknown_records": dict(run.unknown),
        "start": plain(run.start),
        "hypervisor": plain(run.hypervisor),
        "claims": [
            {**(plain(claim) or {}), "verdict": plain(verdict)}
            for claim, verdict in judged_claims(run)
        ],
        **{
            f"{kind}s": [plain(record) for record in run.records(kind)]
            for kind in ("block", "scan", "clock", "measurement", "rate", "step", "offset",
                         "expect", "check", "exception", "vcpu")  # fmt: skip
        },
        # Of all vCPUs together; `vcpus` are the single ones.
        **{
            name: plain(next(iter(run.records(kind)), None))
            for name, kind in (("vcpus_together", "vcpus"), ("warp", "warp"))
        },
        "notes": [plain(note) for note in run.records("note")],
        "end": plain(run.end),
    }
