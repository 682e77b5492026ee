"""Reads a log into runs, and finds out whether anything is missing.

A log holds JSON records among other lines: firmware messages, the text report, carriage returns. A
record begins at the first `{"record"` of its line and goes to the end of the line.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Iterator, Optional

from hypertick_report import schema

Record = dict[str, Any]

MARK = '{"record"'
KIND = re.compile(r'\{"record"\s*:\s*"([^"]*)"')

# The field by which a person would name a record of each kind.
NAMED_BY = {
    "block": "base",
    "scan": "scan",
    "leaf": "leaf",
    "claim": "source",
    "clock": "clock",
    "measurement": "clock",
    "rate": "of",
    "step": "clock",
    "offset": "clock",
    "verdict": "source",
    "expect": "expect",
    "check": "id",
    "note": "text",
    "exception": "name",
    "vcpu": "index",
}

INCOMPLETE = "incomplete"


@dataclass
class Run:
    """One run of the guest: the records from a start record to its end record."""

    name: str  # of the log, and which run in it where there are several
    all: list[Record] = field(default_factory=list)  # every record that could be read, in order
    problems: list[str] = field(default_factory=list)  # why the log is not whole; empty if it is
    unknown: Counter[str] = field(default_factory=Counter)  # kinds that this version does not know
    lines: int = 0  # that hold a record, whole or damaged
    damaged: int = 0  # of these, how many are not JSON
    last_line: int = 0

    def records(self, kind: str) -> list[Record]:
        return [record for record in self.all if record["record"] == kind]

    def _last(self, kind: str, **fields: str) -> Optional[Record]:
        for record in reversed(self.records(kind)):
            if all(record[name] == value for name, value in fields.items()):
                return record
        return None

    @property
    def start(self) -> Optional[Record]:
        return self._last("start")

    @property
    def hypervisor(self) -> Optional[Record]:
        return self._last("hypervisor")

    @property
    def end(self) -> Optional[Record]:
        return self._last("end")

    def claim(self, source: str, clock: str = "tsc") -> Optional[Record]:
        return self._last("claim", source=source, clock=clock)

    def verdict(self, source: str, clock: str = "tsc") -> Optional[Record]:
        return self._last("verdict", source=source, clock=clock)

    def clock(self, name: str) -> Optional[Record]:
        return self._last("clock", clock=name)

    def measurement(self, clock: str = "all") -> Optional[Record]:
        """The last one of this clock: a monitor writes one per window."""
        return self._last("measurement", clock=clock)

    def rate(self, of: str) -> Optional[Record]:
        return self._last("rate", of=of)

    @property
    def strict(self) -> bool:
        """Did the options make nominal claims and checks decide?"""
        lines = [record["line"] for record in self.records("options")]
        words = " ".join(lines or [(self.start or {}).get("options", "")]).split()
        given = [word for word in words if word.startswith("strict=")]
        return bool(given) and given[-1] == "strict=on"

    @property
    def result(self) -> str:
        """pass, fail, inconclusive, or incomplete where the log is not whole."""
        return self.end["result"] if self.end and not self.problems else INCOMPLETE

    @property
    def reason(self) -> str:
        if self.problems:
            return self.problems[0].removeprefix(f"{self.name}: ")
        return self.end["reason"] if self.end else ""


def read(text: str, name: str) -> list[Run]:
    """The runs of one log. There is always at least one; what is missing is in its problems."""
    runs: list[list[tuple[int, str]]] = []
    ended = True
    for number, line in _record_lines(text):
        # A guest that was reset writes a second start record into the same log.
        if ended or _kind(line) == "start":
            runs.append([])
        ended = _kind(line) == "end"
        runs[-1].append((number, line))
    if not runs:
        run = Run(name)
        run.problems.append(f"{name}: no records: no line contains {MARK} (is a sink set to json?)")
        return [run]
    several = len(runs) > 1
    return [
        _read_run(lines, name, f"{name}#{index}" if several else name)
        for index, lines in enumerate(runs, start=1)
    ]


def _record_lines(text: str) -> Iterator[tuple[int, str]]:
    # Only '\n' ends a line: a log may hold bare carriage returns and form feeds.
    for number, line in enumerate(text.split("\n"), start=1):
        begin = line.find(MARK)
        if begin >= 0:
            yield number, line[begin:].rstrip("\r\t ")


def _kind(line: str) -> str:
    """The kind of a record line, which may be damaged further on."""
    match = KIND.match(line)
    return match[1] if match else ""


def _read_run(lines: list[tuple[int, str]], file: str, name: str) -> Run:
    run = Run(name, lines=len(lines), last_line=lines[-1][0])
    for number, line in lines:
        try:
            record = json.loads(line, parse_float=Decimal, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            run.damaged += 1
            run.problems.append(
                f"{file}:{number}: expected one whole JSON record to the end of the line: {error}"
            )
            continue
        kind = record["record"]
        if not isinstance(kind, str) or record.get("truncated") is True:
            what = "cut by the guest to fit its buffer" if isinstance(kind, str) else "without kind"
            run.problems.append(f"{file}:{number}: expected a whole record, found one {what}")
        elif kind not in schema.kinds():
            run.unknown[kind] += 1
        else:
            wrong = schema.errors(record)
            run.problems += [f"{file}:{number}: {kind}: {error}" for error in wrong]
            if not wrong:
                run.all.append(record)
    run.problems += _missing(run, _kind(lines[0][1]), file)
    return run


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is not a JSON value")


def _missing(run: Run, first: str, file: str) -> list[str]:
    """What a whole run has and this one has not. `first` is the kind of its first record."""
    if run.end is None:
        return [
            f"{run.name}: no end record: the run was cut off after"
            f" {plural(run.lines - run.damaged, 'record')}; last record: {_last_name(run)}"
        ]
    surplus = run.lines - run.end["records"]
    if surplus == 0:
        # A guest that fails before it knows its machine ends without a start record.
        return []
    difference = f"{surplus} too many" if surplus > 0 else f"{-surplus} missing"
    if first != "start":
        difference += f"; the first is {first or 'damaged'}, expected start"
    return [
        f"{file}:{run.last_line}: the end record counts {plural(run.end['records'], 'record')},"
        f" found {run.lines}: {difference}"
    ]


def _last_name(run: Run) -> str:
    if not run.all:
        return "none that can be read"
    record = run.all[-1]
    named_by = NAMED_BY.get(record["record"])
    return f"{record['record']} {record[named_by]}" if named_by else record["record"]


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
