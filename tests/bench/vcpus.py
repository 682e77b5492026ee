"""How long other vCPUs take to start, and how near their skew enclosures come to the limit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import guest
from tables import spread, table

COUNTS = (1, 8, 64)
RUNS = 3
OPTIONS = "window=10ms precision=0"


def measure(image: Path, accel: str, problems: list[str]) -> list[dict[str, Any]]:
    """A row for each number of vCPUs. Runs that did not complete are told in `problems`."""
    return [_row(image, accel, count, problems) for count in COUNTS]


def _row(image: Path, accel: str, count: int, problems: list[str]) -> dict[str, Any]:
    runs = [guest.boot(image, accel, OPTIONS, ["-smp", str(count)]) for _ in range(RUNS)]
    problems += [f"{count} vCPUs: {run.problem}" for run in runs if run.problem]
    summaries = [record for run in runs for record in run.records.records("vcpus")]
    vcpus = [record for run in runs for record in run.records.records("vcpu") if record["exchanges"]]
    return {
        "vcpus": count,
        "up": [int(record["up"]) for record in summaries],
        "start_ms": [record["start_ns"] / 1e6 for record in summaries],
        "spent_ms": [record["spent_ns"] / 1e6 for record in summaries],
        "end_ms": [1e3 * run.watched.end_s for run in runs],
        "width_ns": [float(r["offset_high_ns"] - r["offset_low_ns"]) for r in vcpus],
        # No enclosure of one exchange is narrower; one of many may be, by luck on either way.
        "exchange_ns": [float(r["exchange_min_ns"]) for r in vcpus],
        "ratio": [
            (r["offset_high_ns"] - r["offset_low_ns"]) / max(r["exchange_min_ns"], 1) for r in vcpus
        ],
        "ok": sum(record["verdict"] == "ok" for record in vcpus),
        "excluded": sum(not r["offset_low_cycles"] <= 0 <= r["offset_high_cycles"] for r in vcpus),
    }


def text(rows: list[dict[str, Any]]) -> str:
    """In QEMU all vCPUs have one TSC: an enclosure that excludes 0 is wrong."""
    return table(
        ("vCPUs", "started, ms", "all of it, ms", "QEMU start to exit, ms", "enclosure, ns wide",
         "fastest exchange, ns", "width / exchange", "proven within 1 us", "0 inside"),
        [
            (
                str(row["vcpus"]),
                spread(row["start_ms"]),
                spread(row["spent_ms"]),
                spread(row["end_ms"]),
                spread(row["width_ns"], 0),
                spread(row["exchange_ns"], 0),
                spread(row["ratio"], 2),
                f"{row['ok']}/{len(row['width_ns'])}",
                f"{len(row['width_ns']) - row['excluded']}/{len(row['width_ns'])}",
            )
            for row in rows
        ],
    )  # fmt: skip
