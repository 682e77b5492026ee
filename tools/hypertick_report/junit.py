"""Runs as JUnit XML, for CI servers."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import Counter

from hypertick_report.records import Record, Run
from hypertick_report.summary import other_vcpus, step_text, vcpu_findings, vendor
from hypertick_report.units import error, printable, within

Case = tuple[str, str, str, str]  # group, name, "" or failure or error or skipped, message


def document(runs: list[Run]) -> str:
    """One suite per run; one case per verdict, expectation, check and vCPU, and three for the run."""
    root = ElementTree.Element("testsuites")
    for run in runs:
        suite = ElementTree.SubElement(root, "testsuite", name=printable(run.name))
        _properties(suite, run)
        # Names must be unique in a suite: a monitor judges the same claim again and again.
        seen: Counter[str] = Counter()
        for group, name, outcome, message in _cases(run):
            seen[f"{group} {name}"] += 1
            count = seen[f"{group} {name}"]
            case = ElementTree.SubElement(
                suite,
                "testcase",
                classname=printable(f"{run.name}.{group}"),
                name=printable(f"{name} ({count})" if count > 1 else name),
            )
            if outcome:
                ElementTree.SubElement(case, outcome, message=printable(message))
        suite.set("tests", str(len(suite.findall("testcase"))))
        for outcome, total in (("failure", "failures"), ("error", "errors"), ("skipped",) * 2):
            suite.set(total, str(len(suite.findall(f"testcase/{outcome}"))))
        guest_ns = run.end["guest_ns"] if run.end else None
        suite.set("time", f"{(guest_ns or 0) / 1e9:.3f}")
    ElementTree.indent(root)
    body = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _properties(suite: ElementTree.Element, run: Run) -> None:
    properties = ElementTree.SubElement(suite, "properties")
    found = {"hypervisor": vendor(run)}
    if run.start:
        found |= {"hypertick": run.start["hypertick"], "options": run.start["options"]}
    if (measured := run.measurement()) and measured["estimate_hz"] is not None:
        found["tsc_hz"] = str(measured["estimate_hz"])
    for name, value in found.items():
        ElementTree.SubElement(properties, "property", name=name, value=printable(value))


def _cases(run: Run) -> list[Case]:
    problems = "; ".join(run.problems)
    measured = any(record["samples"] for record in run.records("measurement"))
    cases: list[Case] = [("run", "log is whole", "error" if problems else "", problems)]
    if run.end:
        outcome = {"pass": "", "fail": "failure", "inconclusive": "skipped"}[run.end["result"]]
        cases.append(("run", "result", outcome, run.end["reason"]))
    texts: dict[str, list[str]] = {"step": [], "small": [], "rate": []}
    for step in run.records("step"):
        # The field came later than the record.
        small = step["kind"] != "rate" and not step.get("fails", True)
        texts["small" if small else step["kind"]].append(step_text(step))
    if texts["step"]:
        cases.append(("run", "no step", "failure", "; ".join(texts["step"])))
    elif texts["small"]:
        cases.append(("run", "no step", "skipped", "; ".join(texts["small"])))
    elif problems or not measured:
        why = "the log is not whole" if problems else "nothing was measured"
        cases.append(("run", "no step", "skipped", why))
    else:
        cases.append(("run", "no step", "", ""))
    if texts["rate"]:
        # It decides nothing by itself: the verdicts show what it does to the claims.
        cases.append(("run", "no change of rate", "skipped", "; ".join(texts["rate"])))
    for verdict in run.records("verdict"):
        name = f"{verdict['source']} {verdict['clock']}"
        outcome, message = _judged(run, verdict)
        cases.append(("verdict", name, outcome, message))
    for expect in run.records("expect"):
        outcome = "failure" if expect["result"] == "fail" else ""
        found = f"found {expect['actual']}"
        cases.append(("expect", expect["expect"], outcome, found))
    for check in run.records("check"):
        outcome = {"pass": "", "skip": "skipped", "fail": _deciding(run.strict)}[check["result"]]
        cases.append(("check", check["id"], outcome, f"{check['result']}: {check['detail']}"))
    for vcpu in other_vcpus(run):
        cases.append(("vcpu", f"vCPU {vcpu['index']}", *_vcpu(run, vcpu)))
    return cases


def _vcpu(run: Run, vcpu: Record) -> tuple[str, str]:
    found = vcpu_findings(vcpu)
    wrong = vcpu["status"] == "faulted" or "off" in (vcpu["verdict"], vcpu.get("claims"))
    # What is too wide to tell fails no run, strict or not.
    apart = vcpu.get("claims") in ("apart", "missing")
    alike = vcpu["status"] == "up" and not vcpu["differences"] and not apart
    outcome = _deciding(wrong or (run.strict and not alike))
    return (outcome if wrong or found else ""), f"{vcpu['status']}: {'; '.join(found)}"


def _judged(run: Run, verdict: Record) -> tuple[str, str]:
    low, high = error(verdict["low_ppb"]), error(verdict["high_ppb"])
    message = (
        f"{verdict['verdict']}: error {low} to {high}, allowed {within(verdict['allowed_ppb'])}"
    )
    if verdict["reason"]:
        message += f": {verdict['reason']}"
    if verdict["verdict"] == "off":
        decides = run.strict or not verdict["nominal"]
        return _deciding(decides), message if decides else f"nominal, decides nothing: {message}"
    return ("skipped" if verdict["verdict"] == "inconclusive" else ""), message


def _deciding(decides: bool) -> str:
    """A finding that only informs must not turn a passing run red."""
    return "failure" if decides else "skipped"
