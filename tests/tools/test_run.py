"""tools/run against a stand-in for QEMU: what it makes of each way in which a run can end."""

import importlib.machinery
import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"

# Reads what to do from the files beside it: one step a line, for each accelerator.
STAND_IN = """#!/usr/bin/python3
import json, pathlib, sys, time
line = sys.argv
here = pathlib.Path(__file__).parent
(here / "line.json").write_text(json.dumps(line))
accel = line[line.index("-accel") + 1]
com2 = next(word for word in line if "id=com2" in word and "path=" in word).split("path=")[1]
for step in json.loads((here / "steps.json").read_text())[accel]:
    if isinstance(step, int):
        sys.exit(step)
    kind, _, text = step.partition(" ")
    if kind == "com1":
        print(text, end="\\r\\n", flush=True)
    elif kind == "com2":
        with open(com2, "a") as file:
            print(text, file=file)
    elif kind == "stderr":
        print(text, file=sys.stderr, flush=True)
    elif kind == "sleep":
        time.sleep(float(text))
"""

START = "com2 " + json.dumps({
    "record": "start", "version": 1, "hypertick": "0.1.0", "boot": "multiboot1", "loader": None,
    "cpus": 1, "memory_mib": 128, "options": "",
})  # fmt: skip


def end(result, records=2):
    return "com2 " + json.dumps(
        {"record": "end", "result": result, "reason": "", "records": records, "guest_ns": None}
    )


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Runs tools/run with a stand-in QEMU that takes `tcg`, or `kvm`, steps; gives status and output."""
    sys.path.insert(0, str(TOOLS))
    try:
        loader = importlib.machinery.SourceFileLoader("tools_run", str(TOOLS / "run"))
        module = importlib.util.module_from_spec(
            importlib.util.spec_from_loader("tools_run", loader)
        )
        loader.exec_module(module)
    finally:
        sys.path.remove(str(TOOLS))

    program = tmp_path / "qemu-system-x86_64"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    kernel = tmp_path / "image.elf"
    kernel.touch()
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    for name in ("OPTIONS", "QEMU_FLAGS", "ACCEL"):
        monkeypatch.delenv(name, raising=False)

    def call(*words, tcg=(), kvm=None):
        monkeypatch.setattr(module.qemu, "kvm_allowed", lambda: kvm is not None)
        (tmp_path / "steps.json").write_text(json.dumps({"tcg": tcg, "kvm": kvm}))
        monkeypatch.setattr(sys, "argv", ["run", "--kernel", str(kernel),
                                          "--records", str(tmp_path / "r.jsonl"), *words])  # fmt: skip
        status = module.main()
        output = capfd.readouterr()
        lines = output.out.splitlines()
        line = tmp_path / "line.json"
        call.line = json.loads(line.read_text()) if line.exists() else None
        call.stderr = output.err
        call.module = module
        return status, lines

    return call


@pytest.mark.parametrize(
    "qemu_status, result, status", [(33, "pass", 0), (35, "fail", 1), (37, "inconclusive", 2)]
)
def test_the_three_results(run, qemu_status, result, status):
    got, lines = run(tcg=["com1 hello", START, end(result), qemu_status])
    assert got == status
    assert lines[0].endswith("in QEMU, TCG")
    assert lines[1] == "hello"
    assert lines[-2].startswith("records: ")
    assert lines[-1] == f"result: {result.upper()}"


@pytest.mark.parametrize(
    "steps, sentence",
    [
        ([START, end("fail"), 33], "the exit status says PASS, but the end record says FAIL"),
        ([START, 33], "no end record: the run was cut off after 1 record"),
        ([START, end("pass", records=3), 33], "the end record counts 3 records, found 2"),
        ([33], "no records"),
        (
            [START, 'com2 {"record":"claim", cut', end("pass", 3), 33],
            "expected one whole JSON record",
        ),
        ([START, 'com2 {"record":"end"}', 33], "expected a field"),
        (["com1 hello", 0], "the guest went away without a status"),
        ([START, 0], "the guest went away without a status"),
        (["stderr qemu: no such machine", 1], "QEMU ended with status 1: qemu: no such machine"),
        (["com1 hello", "sleep 60"], "the guest had not ended when the time was up"),
        (["com1 hello", "stderr KVM internal error. Suberror: 1", "sleep 60"], "KVM gave up"),
    ],
)
def test_whatever_else_happens_fails_with_a_reason(run, steps, sentence):
    status, lines = run("--timeout", "1.5", tcg=steps)
    assert status == 1
    assert sentence in lines[-2] or sentence in lines[-3]
    assert lines[-1] == "result: FAIL"


def test_records_carry_the_result_where_the_exit_has_no_status(run):
    assert run("exit=acpi", tcg=[START, end("inconclusive"), 0])[0] == 2


def test_no_records_are_missed_where_none_were_asked_for(run):
    assert run("com2=off", tcg=["com1 hello", 33])[0] == 0
    assert run("com2=text+json", tcg=["com1 hello", 33])[0] == 1


def test_old_records_are_not_taken_for_new_ones(run):
    assert run(tcg=[START, end("pass"), 33])[0] == 0
    assert run(tcg=["com1 hello", 33])[0] == 1


@pytest.mark.parametrize(
    "failure", [["stderr KVM: refused", 1], ["stderr KVM internal error", "sleep 60"]]
)
def test_tcg_takes_over_where_kvm_fails_before_the_first_byte(run, failure):
    status, lines = run(kvm=failure, tcg=["com1 hello", START, end("pass"), 33])
    assert status == 0
    assert lines[0].endswith("in QEMU, KVM")
    assert lines[1].startswith("KVM does not work here, so TCG it is: KVM")
    assert lines[2].endswith("in QEMU, TCG")


def test_a_guest_that_spoke_under_kvm_is_not_run_again(run):
    status, lines = run(kvm=["com1 hello", 1], tcg=["com1 hello", START, end("pass"), 33])
    assert status == 1
    assert not any("TCG" in line for line in lines)


def test_a_verdict_without_a_byte_under_kvm_is_a_verdict(run):
    status, lines = run("com1=off", "com2=off", kvm=[35], tcg=[33])
    assert status == 1
    assert not any("TCG" in line for line in lines)


def test_kvm_alone_does_not_fall_back(run):
    status, lines = run("--accel", "kvm", kvm=["stderr refused", 1], tcg=[33])
    assert status == 1
    assert lines[-2] == "tools/run: QEMU ended with status 1: refused"


def test_options_and_flags_reach_qemu(run, monkeypatch):
    monkeypatch.setenv("OPTIONS", "window=100ms stop=verdict")
    monkeypatch.setenv("QEMU_FLAGS", "-machine 'q35,hpet=off' -smp 2")
    assert run(tcg=[START, end("pass"), 33])[0] == 0
    assert run.line[run.line.index("-append") + 1] == "window=100ms stop=verdict"
    assert run.line[-4:] == ["-machine", "q35,hpet=off", "-smp", "2"]
    run("window=1s", "--qemu-flags=-snapshot", "stop=verdict", tcg=[33])
    assert run.line[run.line.index("-append") + 1] == "window=1s stop=verdict"
    assert run.line[-1] == "-snapshot"


def test_a_missing_image_and_a_missing_qemu_are_named(run, tmp_path, monkeypatch):
    status, lines = run("--kernel", "nowhere.elf")
    assert (status, lines[-2:]) == (1, ["tools/run: there is no nowhere.elf: `make` builds it",
                                        "result: FAIL"])  # fmt: skip
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    status, lines = run(tcg=[33])
    assert status == 1
    assert lines[-2].startswith("tools/run: QEMU could not be started")


@pytest.mark.parametrize(
    "words, environment, sentence",
    [
        (["--accel", "xen"], {}, "accelerator 'xen': expected auto, kvm, tcg"),
        ([], {"ACCEL": "xen"}, "accelerator 'xen': expected auto, kvm, tcg"),
        (["--qemu-flags='"], {}, "QEMU's flags \"'\": No closing quotation"),
        ([], {"QEMU_FLAGS": "-name 'a"}, "QEMU's flags \"-name 'a\": No closing quotation"),
        (["--bogus"], {}, "unrecognized arguments: --bogus"),
    ],
)
def test_wrong_usage_is_no_result(run, capfd, monkeypatch, words, environment, sentence):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        run(*words, tcg=[33])
    assert ended.value.code == 64
    said = capfd.readouterr()
    assert said.err == f"tools/run: {sentence}\nTry 'tools/run --help'.\n"
    assert "result" not in said.out


def test_records_that_cannot_be_written(run, tmp_path):
    (tmp_path / "file").touch()
    status, lines = run("--records", str(tmp_path / "file/r.jsonl"), tcg=[33])
    assert status == 1
    assert lines[-2].startswith("tools/run: cannot write the records to ")
    assert run.line is None


def test_carriage_returns_across_reads(run):
    run(tcg=[33])
    split = run.module.without_returns
    assert split(b"", b"one\r\ntwo\r") == (b"\r", b"one\ntwo")
    assert split(b"\r", b"\nthree") == (b"", b"\nthree")
    assert split(b"\r", b"50 %\r\n") == (b"", b"\r50 %\n")


@pytest.mark.parametrize(
    "options, seconds",
    [("", 122), ("window=10s", 140), ("com2=off window=2m", 360), ("window=1.5h", 10920),
     ("window=1s duration=10m", 1320), ("duration=1d", 172920), ("duration=forever", float("inf"))],
)  # fmt: skip
def test_the_time_limit_grows_with_the_window(run, options, seconds):
    run(tcg=[33])
    assert run.module.default_timeout(options) == seconds
