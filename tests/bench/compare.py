"""Two benches side by side."""

from __future__ import annotations

from typing import Any, Iterator

import accuracy
from tables import median, number, table


def text(before: dict[str, Any], after: dict[str, Any]) -> str:
    old, new = dict(metrics(before)), dict(metrics(after))
    rows = []
    for name in dict.fromkeys([*old, *new]):
        a, b = old.get(name), new.get(name)
        ratio = f"{b / a:.3f}" if a and b is not None else "-"
        rows.append((name, number(a, 3), number(b, 3), ratio))
    heads = ("", "before", "after", "after / before")
    hosts = [
        f"{word:7}{result['host']['date']}, {result['accel']}, {result['runs']} runs,"
        f" {result['host']['cpu']}, load {result['host']['load']:.2f}"
        for word, result in (("before", before), ("after", after))
    ]
    return "\n".join([*hosts, table(heads, rows)])


def metrics(result: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """The figures of a bench by name. All are better when smaller."""
    for row in result["accuracy"]:
        name = f"{row['window_ms']} ms, {row['busy']} busy: "
        if error := accuracy.errors(row):
            yield name + "|error| median, ppb", median(error)
            yield name + "|error| worst, ppb", max(error)
        if half := accuracy.clock_values(row, accuracy.ALL, "half_ppb"):
            yield name + "half-width median, ppb", median(half)
            yield name + "half-width worst, ppb", max(half)
    if windows := result["one_ppm"]["window_ms"]:
        yield "window to prove 1 ppm, ms", median(windows)
    speed = result["speed"]
    for name, what in (("first_byte_ms", "first byte"), ("end_ms", "exit")):
        if speed[name]:
            less = [own - floor for own, floor in zip(speed[name], speed["floor_ms"])]
            yield f"start to {what}, less floor, ms", median(less)
    for name, value in result.get("instructions", {}).items():
        yield f"instructions: {name}", value
    for name in ("file_bytes", "memory_bytes"):
        yield f"image: {name}", result["image"][name]
