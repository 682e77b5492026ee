"""One run as a document."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Optional

from hypertick_report.records import INCOMPLETE, Record, Run, plural
from hypertick_report.render import Facts, Line, Part, Section, Table, Title
from hypertick_report.units import change, duration, error, half_width_ppb, megahertz, within

NOT_RECORDED = "not recorded"


def document(run: Run) -> list[Part]:
    parts: list[Part] = [Title(run.name), _head(run)]
    for title, part in (
        ("Blocks of hypervisor leaves", _blocks(run)),
        ("Reference clocks", _clocks(run)),
        ("How they are read, or why not", _clock_details(run)),
        ("Rate of the TSC, by each clock and by all together", _measurements(run)),
        ("Other rates", _rates(run)),
        ("Claims, and their proven errors", _claims(run)),
        ("Reasons", _reasons(run)),
        ("Steps and changes of rate", _steps(run)),
        ("Over time", _monitor(run)),
        ("Oddities", _oddities(run)),
        ("vCPUs", _vcpus(run)),
        ("TSCs of the other vCPUs, against CPU 0's", _vcpu_tscs(run)),
        ("Expected", _expects(run)),
        ("Checks that failed", _checks(run)),
        ("Notes", _notes(run)),
        ("Also missing", _problems(run)),
    ):
        if part:
            parts += [Section(title), part]
    return [*parts, Line(last_line(run))]


def last_line(run: Run) -> str:
    return f"{run.result.upper()}: {run.reason}"


def vendor(run: Run) -> str:
    """The hypervisor in a few words."""
    found = run.hypervisor
    if found is None:
        return NOT_RECORDED
    if found["vendor"]:
        return found["vendor"]
    if (found["signature"] or "").strip():
        return f'unknown, "{found["signature"]}"'
    return "present, without a signature" if found["present"] else "none"


def proven_ppb(record: Record) -> Optional[int]:
    """How far the truth can be from the estimate of a measurement or rate."""
    low, high, estimate = (record[f"{which}_hz"] for which in ("low", "high", "estimate"))
    return None if None in (low, high, estimate) else half_width_ppb(low, high, estimate)


def raw_ppb(record: Record) -> Optional[int]:
    """The half-width of the enclosure before it was widened."""
    low, high = record["raw_low_hz"], record["raw_high_hz"]
    if None in (low, high):
        return None
    return half_width_ppb(low, high, (Fraction(low) + Fraction(high)) / 2)


def given_options(line: str) -> str:
    """The options of a boot line: a first word without "=" is a file's name, and the guest drops it."""
    words = line.split()
    return " ".join(words[1:] if words and "=" not in words[0] and words[0] != "--" else words)


def _head(run: Run) -> Facts:
    pairs = [("result", run.result.upper())]
    if start := run.start:
        loader = f" from {start['loader']}" if start["loader"] else ""
        pairs += [
            ("guest", f"hypertick {start['hypertick']}, {start['boot']}{loader}"),
            ("machine", f"{plural(start['cpus'], 'vCPU')}, {start['memory_mib']} MiB"),
            ("options", given_options(start["options"]) or "none"),
        ]
    if found := run.hypervisor:
        about = [vendor(run), f"max leaf {found['max_leaf']}"]
        if found["interface"]:
            about.append(f"interface {found['interface']}")
        if not found["present"]:
            about.append("present bit clear")
        pairs += [("hypervisor", ", ".join(about)), ("CPU vendor", found["cpu_vendor"])]
    for found in run.records("identity"):
        pairs.append(("runs in", f"{found['conclusion']}, confidence {found['confidence']}"))
    if combined := run.measurement():
        count = sum(record["clock"] == "all" for record in run.records("measurement"))
        last = f", the last of {count}" if count > 1 else ""
        pairs.append(("window", duration(combined["window_ns"]) + last))
    if run.end and run.end["guest_ns"] is not None:
        pairs.append(("ran for", duration(run.end["guest_ns"])))
    results = [check["result"] for check in run.records("check")]
    if results:
        count = {"passed": "pass", "failed": "fail", "skipped": "skip"}
        said = ", ".join(f"{results.count(word)} {name}" for name, word in count.items())
        pairs.append(("checks", said))
    pairs.append(("log", plural(run.lines, "record")))
    pairs += [
        ("log", f"{plural(count, 'record')} of a kind not known here, not read: {kind}")
        for kind, count in sorted(run.unknown.items())
    ]
    return Facts(pairs)


def _blocks(run: Run) -> Optional[Table]:
    rows = [
        [
            block["base"],
            block["max_leaf"],
            block["signature"],
            block["known"] or "unknown",
            block["scan"],
            block["note"],
        ]
        for block in run.records("block")
    ]
    return _table(["base", "max leaf", "signature", "vendor", "scan", "note"], rows)


def _clocks(run: Run) -> Optional[Table]:
    rows = [
        [
            clock["clock"],
            clock["status"],
            megahertz(clock["nominal_hz"]),
            *(duration(clock[f"read_{which}_ns"]) for which in ("min", "median", "p99", "max")),
        ]
        for clock in run.records("clock")
    ]
    return _table(["clock", "status", ">nominal", ">read min", ">median", ">p99", ">max"], rows)


def _clock_details(run: Run) -> Optional[Facts]:
    details = ((clock["clock"], clock["reason"] or clock["detail"]) for clock in run.records("clock"))
    pairs = [(clock, detail) for clock, detail in details if detail]
    return Facts(pairs) if pairs else None


def _measurements(run: Run) -> Optional[Table]:
    rows = []
    for clock in dict.fromkeys(record["clock"] for record in run.records("measurement")):
        last = run.measurement(clock) or {}
        sampled = last["samples"] > 0
        rows.append(
            [
                clock,
                last["status"],
                megahertz(last["estimate_hz"]),
                within(proven_ppb(last)),
                within(raw_ppb(last)),
                within(last["limit_ppb"] if sampled else None),
                duration(last["defect_ns"] if sampled else None),
                str(last["samples"]),
            ]
        )
    headers = ["clock", "status", ">estimate", ">proven", ">raw", ">limit", ">defect", ">samples"]
    return _table(headers, rows)


def _rates(run: Run) -> Optional[Table]:
    rows = [
        [
            rate["of"],
            rate["clock"],
            megahertz(rate["estimate_hz"]),
            within(proven_ppb(rate)),
            rate["against"],
        ]
        for rate in run.records("rate")
    ]
    return _table(["rate of", "read by", ">estimate", ">proven", "against"], rows)


def judged_claims(run: Run) -> list[tuple[Record, Optional[Record]]]:
    """Each claim with its last verdict, if it has one."""
    return [(claim, run.verdict(claim["source"], claim["clock"])) for claim in run.records("claim")]


def _claims(run: Run) -> Optional[Table]:
    rows = []
    for claim, verdict in judged_claims(run):
        if claim["status"] == "absent":
            continue
        judged: dict[str, Any] = verdict or {}
        rows.append(
            [
                claim["source"],
                claim["clock"],
                megahertz(claim["hz"]),
                error(judged.get("error_ppb")),
                error(judged.get("low_ppb")),
                error(judged.get("high_ppb")),
                judged.get("verdict", "not judged") + (", nominal" if claim["nominal"] else ""),
            ]
        )
    headers = ["source", "clock", ">claimed", ">error", ">at least", ">at most", "verdict"]
    return _table(headers, rows)


def _reasons(run: Run) -> Optional[Facts]:
    clocks: dict[tuple[str, str], list[str]] = {}  # of a source and a reason
    for claim, verdict in judged_claims(run):
        reasons = []
        if claim["reason"]:
            absent = "absent: " if claim["status"] == "absent" else ""
            reasons.append(absent + claim["reason"])
        if verdict and verdict["reason"]:
            reasons.append(f"{verdict['verdict']}: {verdict['reason']}")
        for reason in reasons:
            clocks.setdefault((claim["source"], reason), []).append(claim["clock"])
    pairs = [(f"{source} {', '.join(of)}", reason) for (source, reason), of in clocks.items()]
    return Facts(pairs) if pairs else None


def step_text(step: Record) -> str:
    if step["kind"] == "step":
        what = f"stepped by {duration(step['low_ns'])} to {duration(step['high_ns'])},"
    elif step["kind"] == "pause":
        what = "stood still or ran on while the machine was stopped,"
    else:
        what = "changed its rate"
    when = f"between {duration(step['after_ns'])} and {duration(step['before_ns'])}"
    return f"{step['clock']} {what} {when} into the measurement"


def _steps(run: Run) -> Optional[Facts]:
    steps = run.records("step")
    pairs = [(str(number), step_text(step)) for number, step in enumerate(steps, start=1)]
    return Facts(pairs) if pairs else None


def _monitor(run: Run) -> Optional[Facts]:
    pairs = []
    for found in run.records("monitor"):
        windows = f"{plural(found['windows'], 'window')} in {duration(found['duration_ns'])}"
        pairs.append(("measured", windows))
        worst = found["largest_step_ns"]
        largest = "" if worst is None else f", the largest {duration(worst)}"
        pairs.append(("steps", f"{found['steps']}{largest}"))
        pairs.append(("changes of rate", str(found["rate_changes"])))
        longest = f", the longest {duration(found['longest_gap_ns'])}" if found["gaps"] else ""
        pairs.append(("gaps", f"{found['gaps']}{longest}"))
        pairs.append(("a clock went back", "no" if found["monotonic"] else "yes"))
        if found["drift_ppb_per_hour"] is not None:
            low, high = (found[f"drift_{end}_ppb_per_hour"] for end in ("low", "high"))
            proven = f"{change(low)} to {change(high)}"
            drift = f"{change(found['drift_ppb_per_hour'])} an hour (proven: {proven})"
            pairs.append(("drift", f"{drift}, by {found['drift_clock']}"))
    return Facts(pairs) if pairs else None


def _oddities(run: Run) -> Optional[Facts]:
    pairs = [(f"{odd['id']}: {odd['subject']}", odd["detail"]) for odd in run.records("oddity")]
    return Facts(pairs) if pairs else None


def _vcpus(run: Run) -> Optional[Facts]:
    pairs = []
    for found in run.records("vcpus"):
        if found["listed"] <= 1 and not found["reason"]:
            continue
        pairs.append(("up", f"{found['up']} of {found['examined']}, {found['listed']} are known of"))
        if found["start_ns"] is not None:
            pairs.append(("started in", duration(found["start_ns"])))
        if found["reason"]:
            pairs.append(("why no others", found["reason"]))
    verdicts = [vcpu["verdict"] for vcpu in other_vcpus(run)]
    if verdicts:
        words = ("ok", "inconclusive", "off", "none")
        count = {word: verdicts.count(word) for word in words if word in verdicts}
        pairs.append(("verdicts", ", ".join(f"{number} {word}" for word, number in count.items())))
    for warp in run.records("warp"):
        worst = f"{warp['warps']} went backwards, by up to {duration(warp['max_ns'])}"
        result = worst if warp["warps"] else "none went backwards"
        reads = f"{warp['reads']} readings by {plural(warp['vcpus'], 'vCPU')} at once"
        pairs.append(("warp test", f"{reads}: {result}"))
    return Facts(pairs) if pairs else None


def other_vcpus(run: Run) -> list[Record]:
    """All but CPU 0, which the others are compared with."""
    return [vcpu for vcpu in run.records("vcpu") if vcpu["index"] > 0]


def vcpu_findings(vcpu: Record) -> list[str]:
    """What a vCPU has that CPU 0 has not, in words; nothing where all is well."""
    found = [vcpu["reason"]] if vcpu["reason"] else []
    # Records of an early version have no claims.
    claims = vcpu.get("claims")
    if claims == "apart":
        ahead = " to ".join(duration(vcpu[f"pvclock_{which}_ns"]) for which in ("low", "high"))
        found.append(f"its pvclock is {ahead} ahead of CPU 0's")
    elif claims in ("off", "missing", "inconclusive"):
        found.append(f"it is told another rate than CPU 0: {claims}")
    if vcpu["differences"]:
        found.append(f"{plural(vcpu['differences'], 'difference')}, as {vcpu['difference']}")
    return found


def _vcpu_tscs(run: Run) -> Optional[Table]:
    rows = [
        [
            str(vcpu["index"]),
            vcpu["status"],
            *(duration(vcpu[f"offset_{which}_ns"]) for which in ("low", "high")),
            *(error(vcpu[f"rate_{which}_ppb"]) for which in ("low", "high")),
            duration(vcpu["exchange_min_ns"]),
            "; ".join([vcpu["verdict"], *vcpu_findings(vcpu)]),
        ]
        for vcpu in other_vcpus(run)
    ]
    headers = [">vCPU", "status", ">ahead from", ">to", ">faster from", ">to", ">exchange", "verdict"]
    return _table(headers, rows)


def _expects(run: Run) -> Optional[Table]:
    expects = run.records("expect")
    rows = [[expect["expect"], expect["result"], expect["actual"] or ""] for expect in expects]
    return _table(["expect", "result", "found"], rows)


def _checks(run: Run) -> Optional[Table]:
    checks = [check for check in run.records("check") if check["result"] == "fail"]
    rows = [[check["id"], check["detail"]] for check in checks]
    return _table(["check", "found"], rows)


def _notes(run: Run) -> Optional[Facts]:
    pairs = [(note["level"], note["text"]) for note in run.records("note")]
    return Facts(pairs) if pairs else None


def _problems(run: Run) -> Optional[Facts]:
    # The last line says the first problem.
    pairs = [(INCOMPLETE, problem) for problem in run.problems[1:]]
    return Facts(pairs) if pairs else None


def _table(headers: list[str], rows: list[list[str]]) -> Optional[Table]:
    return Table(headers, rows) if rows else None
