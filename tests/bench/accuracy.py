"""How far the estimates are from the truth, how wide the enclosures are, and whether they hold."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import Any, Iterable, Optional

from guest import PPB, Rate, Run
from tables import median, number, table

WINDOWS_MS = (10, 100, 1000)
BUSY_LOOPS = (0, 1, 2)
ALL = "all"

# How a clock's record says that it gave an enclosure that stands.
STANDS = "ok"


@dataclass
class Sample:
    """A run, and what it was run under."""

    run: Run
    window_ms: int
    busy: int  # loops beside it
    load: float  # average over a minute, before it


@dataclass
class Judged:
    """One measurement record held against the truth."""

    clock: str
    status: str
    error_ppb: Optional[float]  # with its sign
    half_ppb: Optional[float]  # half-width of the enclosure that is proven
    raw_half_ppb: Optional[float]  # before it is widened by what the clock's constant leaves open
    limit_ppb: float  # narrowest bracket / window
    inside: Optional[bool]  # is the truth in the enclosure?
    raw_inside: Optional[bool]  # and in the raw one? It need not: the constant may be off

    @property
    def ratio(self) -> Optional[float]:
        """How near to the limit."""
        if self.raw_half_ppb is None or not self.limit_ppb:
            return None
        return self.raw_half_ppb / self.limit_ppb


def judge(record: dict, truth: Rate) -> Judged:
    half_ppb, inside = _enclosure(record["low_hz"], record["high_hz"], truth)
    raw_half_ppb, raw_inside = _enclosure(record["raw_low_hz"], record["raw_high_hz"], truth)
    estimate_hz = record["estimate_hz"]
    return Judged(
        record["clock"],
        record["status"],
        None if estimate_hz is None else truth.error_ppb(float(estimate_hz)),
        half_ppb,
        raw_half_ppb,
        record["limit_ppb"],
        inside,
        raw_inside,
    )


def _enclosure(low: Any, high: Any, truth: Rate) -> tuple[Optional[float], Optional[bool]]:
    """Its half-width in ppb, and whether the truth is inside."""
    if low is None or high is None:
        return None, None
    low_hz, high_hz = float(low), float(high)
    return (high_hz - low_hz) / 2 / truth.hz * PPB, not truth.excluded_by(low_hz, high_hz)


def judge_run(run: Run, truth: Rate) -> dict[str, Judged]:
    return {clock: judge(record, truth) for clock, record in run.measurements().items()}


def lies(judged: dict[str, Judged]) -> list[str]:
    """The clocks whose proven enclosure does not hold the truth. There must be none.

    A clock that the others outvoted was called wrong by the run itself.
    """
    return [j.clock for j in judged.values() if j.inside is False and j.status == STANDS]


def summarise(samples: Iterable[Sample], truth: Rate) -> list[dict]:
    """A row of numbers by window and load, with those of every run in it."""
    groups: dict[tuple[int, int], list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.busy, sample.window_ms].append(sample)
    return [
        {
            "window_ms": window_ms,
            "busy": busy,
            "load": max(sample.load for sample in group),
            "runs": [
                {
                    "end_s": sample.run.watched.end_s,
                    "clocks": [asdict(j) | {"ratio": j.ratio} for j in judged.values()],
                }
                for sample in group
                for judged in [judge_run(sample.run, truth)]
            ],
        }
        for (busy, window_ms), group in sorted(groups.items())
    ]


def clock_values(row: dict, clock: str, field: str) -> list:
    """A field of a clock in every run of a row where it is known."""
    return [
        judged[field]
        for run in row["runs"]
        for judged in run["clocks"]
        if judged["clock"] == clock and judged[field] is not None
    ]


def errors(row: dict, clock: str = ALL) -> list[float]:
    return [abs(error) for error in clock_values(row, clock, "error_ppb")]


def share(values: list[bool]) -> str:
    return f"{sum(values)}/{len(values)}" if values else "-"


def text_all(rows: list[dict]) -> str:
    heads = ("window", "busy", "decided", "|error| median", "worst", "half-width median", "worst",
             "truth inside", "raw inside", "load")  # fmt: skip
    lines = []
    for row in rows:
        error, half = errors(row), clock_values(row, ALL, "half_ppb")
        lines.append(
            (
                f"{row['window_ms']} ms",
                str(row["busy"]),
                f"{len(half)}/{len(row['runs'])}",
                *_median_and_worst(error),
                *_median_and_worst(half),
                share(clock_values(row, ALL, "inside")),
                share(clock_values(row, ALL, "raw_inside")),
                number(row["load"]),
            )
        )
    return table(heads, lines)


def text_clocks(rows: list[dict]) -> str:
    """By window and clock, the loads together."""
    heads = ("window", "clock", "|error| median", "worst", "half-width median", "worst",
             "raw / limit", "worst", "truth inside", "raw inside")  # fmt: skip
    pooled: dict[int, dict] = {}
    for row in rows:
        pooled.setdefault(row["window_ms"], {"runs": []})["runs"].extend(row["runs"])
    names = dict.fromkeys(
        judged["clock"] for row in rows for run in row["runs"] for judged in run["clocks"]
    )
    lines = []
    for window_ms, row in pooled.items():
        for name in names:
            if name == ALL:
                continue
            ratio = clock_values(row, name, "ratio")
            lines.append(
                (
                    f"{window_ms} ms",
                    name,
                    *_median_and_worst(errors(row, name)),
                    *_median_and_worst(clock_values(row, name, "half_ppb")),
                    *_median_and_worst(ratio, 3),
                    share(clock_values(row, name, "inside")),
                    share(clock_values(row, name, "raw_inside")),
                )
            )
    return table(heads, lines, left=2)


def _median_and_worst(values: list[float], places: int = 1) -> tuple[str, str]:
    if not values:
        return "-", "-"
    return number(median(values), places), number(max(values), places)
