"""docs/records.schema.json, its words in docs/records.md, and the tool's own reading of it."""

import json
import random
import re
import sys
from pathlib import Path

import jsonschema
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from hypertick_report import schema  # noqa: E402

SCHEMA = json.loads((ROOT / "docs/records.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
DOCUMENT = (ROOT / "docs/records.md").read_text()
DATA = sorted((ROOT / "tests/data").glob("run-*.jsonl"))

# The promise to readers of records: these fields, in every record of that kind. Only ever added to.
# Fields that came later: records may lack them.
ADDED = {
    "start": ["tsc"],
    "measurement": ["began_ns", "window", "at_ns"],
    "exception": ["vcpu"],
    "monitor": ["pauses"],
    "clock": ["independence"],
    "check": ["proposal"],
    "step": ["window", "at_ns", "fails"],
    "vcpu": "pvclock_hz pvclock_stable pvclock_low_ns pvclock_high_ns hyperv_tsc_hz platform_info"
    " claims".split(),
}
FIELDS = {
    "start": "version hypertick boot loader cpus memory_mib options",
    "options": "source line",
    "sink": "sink status gets where",
    "hypervisor": "present vendor signature signature_hex max_leaf interface cpu_vendor"
    " out_of_range",
    "block": "scan base signature signature_hex max_leaf known repeats note",
    "scan": "scan ran bases found text",
    "leaf": "leaf subleaf eax ebx ecx edx",
    "claim": "source clock status hz granularity_hz nominal reason",
    "compare": "a b clock difference_ppb granularity_ppb agree",
    "clock": "clock status reason detail nominal_hz bits step_ticks"
    " read_min_ns read_median_ns read_p99_ns read_max_ns",
    "measurement": "clock window_ns samples segments low_hz high_hz estimate_hz"
    " raw_low_hz raw_high_hz limit_ppb defect_ns status",
    "rate": "clock of low_hz high_hz estimate_hz against",
    "step": "clock kind segment after_ns before_ns low_ns high_ns",
    "verdict": "source clock error_ppb low_ppb high_ppb allowed_ppb verdict nominal reason",
    "expect": "expect result actual",
    "check": "id result detail",
    "audit": "scan_cycles scan_executions audit_cycles audit_executions",
    "note": "level text",
    "oddity": "id subject detail",
    "end": "result reason records guest_ns",
    "vcpus": "listed examined up found_by rows start_ns spent_ns reason",
    "vcpu": "index apic_id status offset_low_cycles offset_high_cycles offset_low_ns"
    " offset_high_ns rate_low_ppb rate_high_ppb exchanges exchange_min_ns tsc_adjust"
    " differences difference warps warp_max_cycles verdict reason",
    "warp": "vcpus reads warps max_cycles max_ns",
    "evidence": "source finding points_to",
    "identity": "conclusion confidence hypervisor platform against impersonation",
    "exception": "name r15 r14 r13 r12 r11 r10 r9 r8 rdi rsi rbp rbx rdx rcx rax vector error rip cs"
    " rflags rsp ss cr2",
    "monitor": "windows duration_ns low_hz high_hz estimate_hz raw_low_hz raw_high_hz stretches"
    " rate_changes steps largest_step_ns largest_step_clock drift_ppb_per_hour"
    " drift_low_ppb_per_hour drift_high_ppb_per_hour drift_clock gaps longest_gap_ns monotonic",
    "gap": "window at_ns after_ns length_ns lost",
    "reread": "window at_ns changed source clock from_hz to_hz",
    "allan": "clock tau_ns deviation_ppb samples",
    "bench": "access samples min_cycles median_cycles p99_cycles min_ns median_ns p99_ns",
    "tsc": "rdtsc rdtsc_cycles nop_cycles step_cycles one_ghz rdtscp tsc_adjust deadline_timer",
    "disturbance": "spin_cycles spin_ns reads backwards stopped typical_cycles limit_cycles gaps"
    " gaps_per_s longest_cycles longest_ns lost_cycles lost_ns lost_ppb steal steal_ns reason",
    "gap_bucket": "from_cycles to_cycles from_ns to_ns count",
    "state": "state verdict clock passes window_ns cycles low_hz high_hz reason",
    "wake": "source result",
    "offset": "clock segment low_ns high_ns",
}
KINDS = list(FIELDS)


def documented_section(kind):
    return DOCUMENT.split(f"\n### {kind}\n")[1].split("\n### ")[0].split("\n## ")[0]


def example(kind):
    """The example of a record in docs/records.md."""
    return json.loads(re.search(r"```json\n(.*?)\n```", documented_section(kind))[1])


def is_valid(record):
    """What jsonschema says, and the tool's own validator has to say the same."""
    verdict = VALIDATOR.is_valid(record)
    assert verdict == (schema.errors(record) == []), (record, schema.errors(record))
    return verdict


def properties(kind):
    return SCHEMA["$defs"][kind]["properties"]


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_it_knows_exactly_the_kinds_of_records():
    assert SCHEMA["properties"]["record"]["enum"] == KINDS == schema.kinds()
    conditions = [part["if"]["properties"]["record"]["const"] for part in SCHEMA["allOf"]]
    targets = [part["then"]["$ref"] for part in SCHEMA["allOf"]]
    assert conditions == KINDS
    assert targets == [f"#/$defs/{kind}" for kind in KINDS]


@pytest.mark.parametrize("kind", KINDS)
def test_required_fields(kind):
    assert SCHEMA["$defs"][kind]["required"] == FIELDS[kind].split()


@pytest.mark.parametrize("kind", KINDS)
def test_the_documented_example_is_valid_and_in_order(kind):
    record = example(kind)
    assert record["record"] == kind
    assert VALIDATOR.is_valid(record), list(VALIDATOR.iter_errors(record))
    assert is_valid(record)
    assert list(record) == ["record", *FIELDS[kind].split(), *ADDED.get(kind, [])]


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_documented(kind):
    rows = re.findall(r"^\| (`.*?) \|", documented_section(kind), re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert documented == set(properties(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_every_word_is_documented(kind):
    section = documented_section(kind)
    for field, part in properties(kind).items():
        if kind == "scan" and field == "scan":
            continue  # "as in block"
        for word in part.get("enum", []):
            assert f"`{word}`" in section, (field, word)


@pytest.mark.parametrize("kind", KINDS)
def test_no_field_can_be_left_out(kind):
    for field in FIELDS[kind].split():
        record = example(kind)
        del record[field]
        assert not is_valid(record), field


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_has_a_type(kind):
    for field in properties(kind):
        for wrong in ({}, [], [1]):
            assert not is_valid({**example(kind), field: wrong}), (field, wrong)


@pytest.mark.parametrize("kind", KINDS)
def test_fields_may_be_added(kind):
    assert is_valid({**example(kind), "later": {"anything": [1, 2.5, None]}})


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"record": None},
        {"record": "claims"},
        {"record": ["note"]},
        {"level": "info", "text": "no kind"},
        [],
        "note",
        None,
    ],
)
def test_what_is_not_a_record(record):
    assert not is_valid(record)


@pytest.mark.parametrize(
    "kind, changes",
    [
        ("start", {"version": 2}),
        ("start", {"version": True}),
        ("start", {"cpus": -1}),
        ("start", {"cpus": True}),
        ("start", {"memory_mib": 127.5}),
        ("hypervisor", {"max_leaf": 0x40000000}),
        ("hypervisor", {"max_leaf": "0x4000000"}),
        ("hypervisor", {"max_leaf": "0x4000000A"}),
        ("hypervisor", {"signature_hex": "4b564d"}),
        ("hypervisor", {"out_of_range": "ones"}),
        ("block", {"scan": "flat "}),
        ("leaf", {"count": 1}),
        ("claim", {"hz": None}),
        ("claim", {"hz": "2596130000"}),
        ("claim", {"hz": -1}),
        ("claim", {"clock": "TSC"}),
        ("clock", {"read_min_ns": -1}),
        ("clock", {"read_min_ns": 1.5}),
        ("measurement", {"estimate_hz": None}),
        ("measurement", {"status": "empty"}),
        ("measurement", {"status": "none"}),
        ("measurement", {"limit_ppb": None}),
        ("rate", {"low_hz": None}),
        ("verdict", {"error_ppb": None}),
        ("verdict", {"verdict": "off", "allowed_ppb": None}),
        ("verdict", {"error_ppb": 0.5}),
        ("expect", {"result": "skip"}),
        ("note", {"level": "debug"}),
        ("oddity", {"id": "odd"}),
        ("note", {"truncated": True}),
        ("end", {"records": 0}),
        ("end", {"result": "PASS"}),
        ("end", {"guest_ns": -5}),
    ],
)
def test_what_is_not_allowed(kind, changes):
    assert not is_valid({**example(kind), **changes})


EMPTY = dict.fromkeys(["low_hz", "high_hz", "estimate_hz", "raw_low_hz", "raw_high_hz"])


@pytest.mark.parametrize(
    "kind, changes",
    [
        ("hypervisor", {"signature": None, "signature_hex": None, "vendor": None}),
        ("leaf", {"count": 2, "stride": "0x00000100"}),
        ("claim", {"status": "absent", "hz": None, "granularity_hz": None}),
        ("claim", {"hz": 2596130164.812}),
        ("clock", {"nominal_hz": None, "read_min_ns": None, "read_max_ns": None}),
        ("measurement", {**EMPTY, "status": "empty"}),
        ("measurement", {**EMPTY, "status": "none"}),
        ("measurement", {"status": "stepped"}),
        (
            "verdict",
            {
                "verdict": "inconclusive",
                "error_ppb": None,
                "low_ppb": None,
                "high_ppb": None,
                "allowed_ppb": None,
            },
        ),
        ("step", {"low_ns": -2000, "high_ns": -1000}),
        ("end", {"guest_ns": None}),
    ],
)
def test_what_is_allowed(kind, changes):
    assert is_valid({**example(kind), **changes})


@pytest.mark.parametrize("path", DATA, ids=lambda path: path.name)
def test_the_sample_runs_are_valid(path):
    lines = path.read_text().splitlines()
    assert lines
    for line in lines:
        record = json.loads(line)
        assert is_valid(record), record


def test_the_sample_runs_show_every_kind():
    assert DATA
    shown = {json.loads(line)["record"] for path in DATA for line in path.read_text().splitlines()}
    assert shown == set(KINDS)


def test_both_validators_agree_on_damaged_records():
    """Thousands of records, each changed at random: is_valid compares the two validators."""
    random.seed(20261121)
    values = [
        None, True, False, 0, 1, 2, -1, 1.5, 10**18, "", "ok", "off", "empty", "none", "present",
        "absent", "0x40000010", "0x4000001", "4b564d4b564d4b564d000000", [], {}, ["ok"],
    ]  # fmt: skip
    outcomes = {True: 0, False: 0}
    for _ in range(4000):
        kind = random.choice(KINDS)
        record = example(kind)
        for _ in range(random.randint(1, 3)):
            field = random.choice(["record", "truncated", *properties(kind)])
            action = random.random()
            if action < 0.2:
                record.pop(field, None)
            elif action < 0.3 and field == "record":
                record[field] = random.choice(KINDS)
            else:
                record[field] = random.choice(values)
        outcomes[is_valid(record)] += 1
    assert min(outcomes.values()) > 100, outcomes


def test_the_tool_refuses_a_schema_that_it_does_not_understand():
    with pytest.raises(NotImplementedError, match="maxLength"):
        schema._check("x", {"type": "string", "maxLength": 3}, "", [])
