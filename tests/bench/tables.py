"""Numbers and tables as text."""

from __future__ import annotations

import statistics
from typing import Iterable, Sequence

ABSENT = "-"


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def number(value: float | None, places: int = 1) -> str:
    return ABSENT if value is None else f"{value:,.{places}f}"


def spread(values: Sequence[float], places: int = 1) -> str:
    """Median and extremes, as `3.2 [1.0 .. 9.9]`."""
    if not values:
        return ABSENT
    low, middle, high = min(values), median(values), max(values)
    return f"{middle:,.{places}f} [{low:,.{places}f} .. {high:,.{places}f}]"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """Aligned columns, the first `left` ones to the left, the others to the right."""
    lines = [list(line) for line in (heads, *rows) if line]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join(
        "  " + "  ".join(
            cell.ljust(width) if index < left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths))
        ).rstrip()
        for line in lines
    )  # fmt: skip
