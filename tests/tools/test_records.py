"""Reading logs: what is found in them, and what is found missing."""

import json
import random
import sys
from decimal import Decimal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests/guest")]

import records as guest_records  # noqa: E402
from hypertick_report.records import Run, read  # noqa: E402

DATA = ROOT / "tests/data"


def contents(name):
    return (DATA / name).read_bytes().decode()


def lines_of(name):
    return contents(name).splitlines()


def one(text, name="log"):
    runs = read(text, name)
    assert len(runs) == 1
    return runs[0]


def joined(lines):
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "name, result", [("pass", "pass"), ("fail", "fail"), ("inconclusive", "inconclusive")]
)
def test_a_whole_run(name, result):
    run = one(contents(f"run-{name}.jsonl"))
    assert run.problems == []
    assert run.result == result
    assert run.reason == run.end["reason"]
    assert len(run.all) == run.lines == run.end["records"] > 20


def test_access_by_name():
    run = one(contents("run-pass.jsonl"))
    assert run.start["boot"] == "multiboot1"
    assert run.hypervisor["vendor"] == "KVM"
    assert run.claim("leaf-0x40000010", "tsc")["hz"] == 2596130000
    assert run.claim("leaf-0x40000010", "bus")["hz"] == 1000000000
    assert run.claim("leaf-0x15")["status"] == "absent"
    assert run.claim("leaf-0x99") is None
    assert run.verdict("leaf-0x40000010")["verdict"] == "ok"
    assert run.clock("hpet")["bits"] == 64
    assert run.measurement("hpet")["limit_ppb"] == 11554
    assert run.measurement()["clock"] == "all"
    assert run.rate("bus")["estimate_hz"] == Decimal("1000000004.113")
    assert [leaf["leaf"] for leaf in run.records("leaf")][-1] == "0x40000010"
    assert run.records("step") == []


def test_numbers_are_exact():
    assert one(contents("run-pass.jsonl")).measurement()["estimate_hz"] == Decimal("2596130164.8")


def test_the_last_window_of_a_monitor_counts():
    lines = lines_of("run-pass.jsonl")
    index = next(i for i, line in enumerate(lines) if '"clock":"all"' in line)
    lines.insert(index, lines[index].replace('"samples":36480', '"samples":1'))
    lines[-1] = lines[-1].replace('"records":30', '"records":31')
    run = one(joined(lines))
    assert run.problems == []
    assert [m["samples"] for m in run.records("measurement") if m["clock"] == "all"] == [1, 36480]
    assert run.measurement()["samples"] == 36480


def test_records_among_other_output():
    text = contents("serial-mixed.log")
    assert "\r" in text and "\x1b" in text and 'measuring  90 %\r{"record"' in text
    run = one(text)
    assert run.result == "pass", run.problems
    assert run.lines == run.end["records"] == 10


@pytest.mark.parametrize("end", ["\n", "\r\n", " \r\n", "\t\n"])
def test_ends_of_lines(end):
    assert one(end.join(lines_of("run-pass.jsonl")) + end).problems == []


def test_the_last_newline_may_be_missing():
    assert one(contents("run-pass.jsonl").rstrip("\n")).result == "pass"


def test_a_form_feed_or_line_separator_in_the_log_ends_no_line():
    text = contents("run-pass.jsonl").replace("every claim", "every\u2028claim")
    assert one("\x0c\x0b\x1c" + text).problems == []


def test_spaces_that_another_json_writer_adds():
    spaced = [json.dumps(json.loads(line)) for line in lines_of("run-pass.jsonl")]
    assert spaced[0].startswith('{"record": "start"')
    assert one(joined(spaced)).problems == []


def test_cut_off_between_records():
    run = one(contents("run-truncated.jsonl"), "run.jsonl")
    assert run.result == "incomplete"
    assert run.problems == [
        "run.jsonl: no end record: the run was cut off after 21 records;"
        " last record: measurement hpet"
    ]
    assert run.reason == (
        "no end record: the run was cut off after 21 records; last record: measurement hpet"
    )


def test_cut_off_within_a_record():
    run = one(contents("run-truncated.jsonl")[:-20], "run.jsonl")
    assert run.problems[0].startswith(
        "run.jsonl:21: expected one whole JSON record to the end of the line: "
    )
    assert run.problems[1:] == [
        "run.jsonl: no end record: the run was cut off after 20 records;"
        " last record: measurement pit"
    ]


def test_cut_off_at_any_byte():
    """No prefix of a run is taken for a whole run."""
    text = contents("run-pass.jsonl").rstrip("\n")
    for length in {*range(0, len(text), 7), *range(len(text) - 200, len(text))}:
        run = one(text[:length])
        assert run.result == "incomplete", length
        assert run.problems


def test_any_one_record_lost():
    lines = lines_of("run-pass.jsonl")
    for index in range(len(lines) - 1):
        run = one(joined(lines[:index] + lines[index + 1 :]), "run.jsonl")
        assert run.result == "incomplete"
        assert run.problems[0].startswith(
            "run.jsonl:29: the end record counts 30 records, found 29: 1 missing"
        )


def test_the_beginning_lost():
    run = one(joined(lines_of("run-pass.jsonl")[2:]), "run.jsonl")
    assert run.problems == [
        "run.jsonl:28: the end record counts 30 records, found 28: 2 missing;"
        " the first is scan, expected start"
    ]


def test_a_record_too_many():
    lines = lines_of("run-pass.jsonl")
    run = one(joined(lines[:5] + lines[4:]), "run.jsonl")
    assert run.problems == ["run.jsonl:31: the end record counts 30 records, found 31: 1 too many"]


def test_any_one_line_damaged():
    """A character lost from any line is noticed, wherever it is."""
    random.seed(1)
    lines = lines_of("run-pass.jsonl")
    for index, line in enumerate(lines):
        where = random.choice([0, 5, len(line) - 1])
        damaged = line[:where] + line[where + 1 :]
        run = one(joined([*lines[:index], damaged, *lines[index + 1 :]]))
        assert run.result == "incomplete", (index, where)


@pytest.mark.parametrize(
    "line",
    [
        '{"record":"note","level":"info","text":"x"} trailing',
        '{"record":"note","level":"info","text":"x"}{"record":"note","level":"info","text":"y"}',
        '{"record":"note","level":"info","text":"x',
        '{"record":"note","level":"info","text":"\x01"}',
        '{"record":"note","level":NaN,"text":"x"}',
        '{"record":"note","level":' + "[" * 100000,
        '{"record"',
    ],
)
def test_a_line_that_is_no_record(line):
    lines = lines_of("run-pass.jsonl")
    run = one(joined([*lines[:3], line, *lines[4:]]), "run.jsonl")
    assert len(run.problems) == 1
    assert run.problems[0].startswith("run.jsonl:4: expected one whole JSON record")
    assert len(run.problems[0]) < 200


@pytest.mark.parametrize(
    "change, problem",
    [
        (("hz", '"2596130000"'), 'claim: hz: expected number or null, found "2596130000"'),
        (("status", '"here"'), 'claim: status: expected one of "present", "absent", found "here"'),
        (("hz", "-1"), "claim: hz: expected at least 0, found -1"),
        (("hz", "null"), "claim: hz: expected number, found null"),
    ],
)
def test_a_wrong_field_is_named_with_its_line(change, problem):
    lines = lines_of("run-pass.jsonl")
    index = next(i for i, line in enumerate(lines) if line.startswith('{"record":"claim"'))
    record = json.loads(lines[index])
    record[change[0]] = json.loads(change[1])
    lines[index] = json.dumps(record)
    run = one(joined(lines), "run.jsonl")
    assert f"run.jsonl:{index + 1}: {problem}" in run.problems
    assert run.result == "incomplete"


def test_a_missing_field_is_named():
    text = contents("run-pass.jsonl").replace('"pass","reason":"every', '"pass","cause":"every')
    run = one(text, "run.jsonl")
    assert 'run.jsonl:30: end: expected a field "reason", found none' in run.problems


def test_a_record_that_the_guest_had_to_cut():
    lines = lines_of("run-pass.jsonl")
    lines[3] = '{"record":"scan","scan":"flat","truncated":true}'
    run = one(joined(lines), "run.jsonl")
    assert run.problems == [
        "run.jsonl:4: expected a whole record, found one cut by the guest to fit its buffer"
    ]


def test_a_kind_of_record_from_the_future():
    lines = lines_of("run-pass.jsonl")
    lines[3] = '{"record":"weather","sky":"blue"}'
    run = one(joined(lines))
    assert run.problems == []
    assert run.unknown == {"weather": 1}


@pytest.mark.parametrize("kind", ["null", "7", "[]", "{}"])
def test_a_record_without_a_kind(kind):
    lines = lines_of("run-pass.jsonl")
    lines[3] = f'{{"record":{kind}}}'
    run = one(joined(lines), "run.jsonl")
    assert run.problems == ["run.jsonl:4: expected a whole record, found one without kind"]


@pytest.mark.parametrize("text", ["", "\n", "SeaBIOS\r\nBooting from ROM..\r\n"])
def test_no_records(text):
    run = one(text, "run.jsonl")
    assert run.result == "incomplete"
    assert run.problems == [
        'run.jsonl: no records: no line contains {"record" (is a sink set to json?)'
    ]


def test_a_guest_that_was_reset():
    """The same log holds the cut-off first run and the second one."""
    text = contents("run-truncated.jsonl") + "SeaBIOS\n" + contents("run-pass.jsonl")
    first, second = read(text, "run.jsonl")
    assert [first.name, second.name] == ["run.jsonl#1", "run.jsonl#2"]
    assert [first.result, second.result] == ["incomplete", "pass"]
    assert first.problems[0].startswith("run.jsonl#1: no end record")


def test_problems_of_a_second_run_have_their_line_in_the_log():
    lines = lines_of("run-pass.jsonl")
    second = [*lines[:4], "", '{"record":', *lines[5:]]
    runs = read(joined(lines + second), "run.jsonl")
    assert [run.result for run in runs] == ["pass", "incomplete"]
    assert runs[1].problems[0].startswith("run.jsonl:36: ")


def test_a_run_that_ends_before_it_knows_its_machine():
    """An exception right after the banner: no start record, but whole."""
    run = one(
        '{"record":"note","level":"error","text":"#GP"}\n'
        '{"record":"end","result":"fail","reason":"#GP","records":2,"guest_ns":null}\n'
    )
    assert run.problems == []
    assert run.result == "fail"
    assert run.start is None


@pytest.mark.parametrize(
    "options, strict",
    [
        ("", False),
        ("strict=on", True),
        ("strict=off", False),
        ("window=1s strict=on x=y", True),
        ("strict=on strict=off", False),
        ("unstrict=on", False),
    ],
)
def test_strict(options, strict):
    text = contents("run-pass.jsonl").replace('"options":"window', f'"options":"{options} window')
    assert one(text).strict is strict


def test_random_damage_never_raises():
    random.seed(7)
    original = (DATA / "run-fail.jsonl").read_bytes()
    incomplete = 0
    for _ in range(1500):
        data = bytearray(original)
        for _ in range(random.randint(1, 4)):
            where = random.randrange(len(data))
            action = random.random()
            if action < 0.4:
                data[where] = random.randrange(256)
            elif action < 0.7:
                del data[where : where + random.randint(1, 200)]
            else:
                data[where:where] = data[: random.randint(1, 300)]
        for run in read(data.decode(errors="replace"), "log"):
            assert (run.result == "incomplete") == bool(run.problems)
            incomplete += bool(run.problems)
    assert incomplete > 1000


# --- tests/guest/records.py, which guest tests read their runs with


@pytest.mark.parametrize("name", ["run-pass.jsonl", "run-fail.jsonl", "serial-mixed.log"])
def test_load(name):
    run = guest_records.load(contents(name), name)
    assert isinstance(run, Run)
    assert run.end["records"] == len(run.records("end")) + len(run.all) - 1


def test_load_refuses_a_run_that_is_cut_off():
    with pytest.raises(AssertionError, match="cut off after 21 records"):
        guest_records.load(contents("run-truncated.jsonl"))


def test_load_refuses_two_runs():
    with pytest.raises(AssertionError, match="expected one run, found 2"):
        guest_records.load(contents("run-pass.jsonl") * 2)


def test_load_refuses_an_unknown_kind():
    text = contents("run-pass.jsonl").replace('{"record":"note"', '{"record":"remark"')
    with pytest.raises(AssertionError, match="unknown kind of record: remark"):
        guest_records.load(text)


@pytest.mark.parametrize(
    "old, new, complaint",
    [
        ('"hz":2596130000,', '"hz":2596130000.0001,', "over 3 decimals"),
        ('"low_ppb":-235', '"low_ppb":-35', "must not decrease"),
        ('"read_min_ns":11554', '"read_min_ns":11900', "must not decrease"),
        ('"raw_low_hz":2596129754.611', '"raw_low_hz":2596129740', "widened must hold raw"),
        ('"allowed_ppb":50385', '"allowed_ppb":50', "expected inconclusive"),
        ('"hz":2596130000,', '"hz":2596130100,', "expected an error of -25.0 ppb"),
        ('"claim","source":"leaf-0x40000010","clock":"tsc"',
         '"claim","source":"leaf-0x40000011","clock":"tsc"', "there is no such claim"),
    ],
)  # fmt: skip
def test_load_refuses_contradictions(old, new, complaint):
    text = contents("run-pass.jsonl")
    assert old in text
    with pytest.raises(AssertionError, match=complaint):
        guest_records.load(text.replace(old, new))
