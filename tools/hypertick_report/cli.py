"""The command line of tools/report."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

from hypertick_report import comparison, export, junit, render, summary
from hypertick_report.records import INCOMPLETE, Run, read

STATUS = {"pass": 0, "fail": 1, "inconclusive": 2, INCOMPLETE: 3}
WORST_LAST = ["pass", "inconclusive", "fail", INCOMPLETE]
USAGE_ERROR = 64  # EX_USAGE of sysexits.h

DESCRIPTION = """\
Reads the JSON records of hypertick runs and reports what they say. A log may
be a whole serial log: records are found among whatever else is in it. With
two or more runs it shows what changed between them.
"""

EPILOG = """\
exit status:
  0   every run passed
  1   a run failed
  2   a run was inconclusive, none failed
  3   a log is cut off or damaged; what is missing is said on standard error
  64  the command line is wrong, or a log cannot be read

examples:
  tools/report run.jsonl                        read one run
  tools/report before.jsonl after.jsonl         what changed, in ppb
  tools/report --no-compare host*/run.jsonl     every run in full
  tools/report --markdown run.jsonl >>"$GITHUB_STEP_SUMMARY"
  tools/report --junit run.jsonl >junit.xml     for a CI server
  qemu-system-x86_64 ... -serial stdio | tools/report -

docs/records.md explains the records, docs/ci.md how to use this in CI.
"""


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_ERROR, f"{self.prog}: {message}\nTry '{self.prog} --help'.\n")


def parser() -> Parser:
    made = Parser(
        prog="tools/report",
        usage="%(prog)s [--FORMAT] [--compare | --no-compare] LOG...",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument(
        "logs", nargs="+", metavar="LOG", help="a file with records; - reads standard input"
    )
    printed = made.add_argument_group("what to print (default: text)")
    formats = printed.add_mutually_exclusive_group()
    for name, about in (
        ("text", "for people, at most 100 columns"),
        ("markdown", "the same as Markdown"),
        ("csv", "a row per measurement and claim, or per compared quantity"),
        ("json", "everything, merged into one object"),
        ("junit", "JUnit XML: a case per verdict, expectation and check"),
    ):
        formats.add_argument(
            f"--{name}", dest="format", action="store_const", const=name, default="text", help=about
        )
    made.add_argument(
        "--compare",
        action="store_true",
        default=None,
        help="show what changed (the default with two or more runs)",
    )
    made.add_argument(
        "--no-compare", dest="compare", action="store_false", help="show every run in full instead"
    )
    return made


def main(arguments: list[str]) -> int:
    options = parser()
    given = options.parse_args(arguments)
    if given.logs.count("-") > 1:
        options.error("standard input (-) can be read only once")
    runs: list[Run] = []
    for log in given.logs:
        try:
            runs += read(_contents(log), "standard input" if log == "-" else log)
        except OSError as error:
            options.error(f"cannot read {log}: {error.strerror}")
    if given.compare and len(runs) < 2:
        options.error("--compare expects two or more runs, found one")
    if given.compare and given.format == "junit":
        options.error("--compare has no JUnit form: expected text, --markdown, --csv or --json")
    compare = len(runs) > 1 if given.compare is None else given.compare

    for run in runs:
        for problem in run.problems:
            print(problem, file=sys.stderr)
    status = STATUS[max((run.result for run in runs), key=WORST_LAST.index)]
    _print(_report(runs, given.format, compare, status))
    return status


def _contents(log: str) -> str:
    data = sys.stdin.buffer.read() if log == "-" else Path(log).read_bytes()
    return data.decode("utf-8", errors="replace")


def _report(runs: list[Run], form: str, compare: bool, status: int) -> str:
    if form == "csv":
        return export.csv_comparison(runs) if compare else export.csv_rows(runs)
    if form == "json":
        return export.json_summary(runs, status, compare)
    if form == "junit":
        return junit.document(runs)
    show = render.markdown if form == "markdown" else render.text
    if compare:
        return show(comparison.document(runs))
    return "\n".join(show(summary.document(run)) for run in runs)


def _print(report: str) -> None:
    # The same bytes whatever the locale; names of files may hold anything.
    data = report.encode("utf-8", errors="backslashreplace")
    sys.stdout.flush()
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # The reader has seen enough (a pager, head). Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
