"""Documents: headings, tables, facts and lines, as plain text or as Markdown."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Union

from hypertick_report.units import printable

WIDTH = 100
INDENT = "  "
GAP = "  "
NARROWEST = 8  # a column is not squeezed below this many characters


@dataclass
class Title:
    text: str


@dataclass
class Section:
    text: str


@dataclass
class Table:
    """Headers that begin with '>' belong to columns that are aligned to the right."""

    headers: list[str]
    rows: list[list[str]]
    # The leading columns that are repeated where a table is too wide and goes on below.
    fixed: int = 0


@dataclass
class Facts:
    """Names, and what there is to say about each."""

    pairs: list[tuple[str, str]]


@dataclass
class Line:
    text: str


Part = Union[Title, Section, Table, Facts, Line]


def text(parts: list[Part]) -> str:
    lines: list[str] = []
    close = True  # does the next part follow without an empty line?
    for part in parts:
        if not close:
            lines.append("")
        lines += _text_part(part)
        close = isinstance(part, Section)
    return "\n".join(lines) + "\n"


def markdown(parts: list[Part]) -> str:
    return "\n\n".join("\n".join(_markdown_part(part)) for part in parts) + "\n"


def _text_part(part: Part) -> list[str]:
    if isinstance(part, Title):
        lines = _wrap(printable(part.text), WIDTH)
        return [*lines, "=" * max(map(len, lines))]
    if isinstance(part, (Section, Line)):
        return _wrap(printable(part.text), WIDTH)
    if isinstance(part, Facts):
        return _text_table([list(pair) for pair in part.pairs], [False, False])
    lines = []
    for rows in _split([part.headers, *part.rows], part.fixed):
        right = [header.startswith(">") for header in rows[0]]
        rows[0] = [header.removeprefix(">") for header in rows[0]]
        lines += ([""] if lines else []) + _text_table(rows, right)
    return lines


def _split(rows: list[list[str]], fixed: int) -> list[list[list[str]]]:
    """The rows of a table; of several tables, where it has fixed columns and is too wide."""
    widths = _widths(rows)
    groups: list[list[int]] = [[]]
    for column in range(fixed, len(widths)):
        group = [*range(fixed), *groups[-1], column]
        if fixed and groups[-1] and _total([widths[i] for i in group]) > WIDTH:
            groups.append([])
        groups[-1].append(column)
    return [[[row[i] for i in [*range(fixed), *group]] for row in rows] for group in groups]


def _widths(rows: list[list[str]]) -> list[int]:
    return [max(len(printable(cell)) for cell in column) for column in zip(*rows)]


def _total(widths: list[int]) -> int:
    return len(INDENT) + sum(widths) + len(GAP) * (len(widths) - 1)


def _text_table(rows: list[list[str]], right: list[bool]) -> list[str]:
    widths = _widths(rows)
    while _total(widths) > WIDTH:
        # Words can be wrapped, so they give way first; numbers only where nothing else is left.
        wide = [i for i, width in enumerate(widths) if width > NARROWEST]
        if not wide:
            break
        widths[max(wide, key=lambda i: (not right[i], widths[i]))] -= 1
    lines = []
    for row in rows:
        wrapped = [_wrap(printable(cell), width) for cell, width in zip(row, widths)]
        for index in range(max(map(len, wrapped))):
            cells = []
            for part, width, at_right in zip(wrapped, widths, right):
                cell = part[index] if index < len(part) else ""
                cells.append(cell.rjust(width) if at_right else cell.ljust(width))
            lines.append((INDENT + GAP.join(cells)).rstrip())
    return lines


def _wrap(line: str, width: int) -> list[str]:
    return textwrap.wrap(line, width, break_on_hyphens=False) or [""]


def _markdown_part(part: Part) -> list[str]:
    if isinstance(part, Title):
        return ["## " + _escape(part.text)]
    if isinstance(part, Section):
        return ["### " + _escape(part.text)]
    if isinstance(part, Line):
        return [f"**{_escape(part.text)}**"]
    if isinstance(part, Facts):
        return [f"- {_escape(name)}: {_escape(value)}" for name, value in part.pairs]
    rows = [[header.removeprefix(">") for header in part.headers], *part.rows]
    lines = ["| " + " | ".join(map(_escape, row)) + " |" for row in rows]
    rule = ["---:" if header.startswith(">") else "---" for header in part.headers]
    return [lines[0], "| " + " | ".join(rule) + " |", *lines[1:]]


def _escape(cell: str) -> str:
    shown = printable(cell)
    for special in "\\|<*`":
        shown = shown.replace(special, "\\" + special)
    return shown
