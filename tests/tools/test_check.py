"""tools/check: how it counts. A test that crashed or never ran must not be lost."""

import importlib.machinery
import importlib.util
from pathlib import Path

import pytest

CHECK = Path(__file__).resolve().parents[2] / "tools/check"
loader = importlib.machinery.SourceFileLoader("tools_check", str(CHECK))
check = importlib.util.module_from_spec(importlib.util.spec_from_loader("tools_check", loader))
loader.exec_module(check)


@pytest.mark.parametrize(
    "output, status, line",
    [
        ("1..2\nok 1 - a\nok 2 - b\n", 0, "2 passed, 0 failed, 0 skipped"),
        ("1..2\nok 1 - a\nnot ok 2 - b\n# 1 != 2\n# not ok - tests\n", 1,
         "1 passed, 1 failed, 0 skipped"),
        ("1..2\nok 1 - a\nnot ok 2 # SKIP b\n", 0, "1 passed, 0 failed, 1 skipped"),
        ("1..2\nok 1 - a\n", -6, "1 passed, 1 failed, 0 skipped"),
        ("1..2\nok 1 - a\n", 0, "1 passed, 1 failed, 0 skipped"),
        ("1..1\nok 1 - a\n", 1, "1 passed, 1 failed, 0 skipped"),
        ("1..1\nok 1 - a\n1..2\nok 1 - b\n", -11, "2 passed, 1 failed, 0 skipped"),
        ("", 0, "0 passed, 1 failed, 0 skipped"),
        ("1..0\n", 0, "0 passed, 1 failed, 0 skipped"),
    ],
)  # fmt: skip
def test_counting_a_cmocka_program(output, status, line):
    assert check.read_tap("unit/test_x", output, status).line() == line


@pytest.mark.parametrize(
    "cases, status, line",
    [
        ('<testcase classname="t" name="a"/>', 0, "1 passed, 0 failed, 0 skipped"),
        ('<testcase classname="t" name="a"/><testcase classname="t" name="b"><failure/></testcase>',
         1, "1 passed, 1 failed, 0 skipped"),
        ('<testcase classname="t" name="a"><error/></testcase>', 1, "0 passed, 1 failed, 0 skipped"),
        ('<testcase classname="t" name="a"><skipped message="no KVM"/></testcase>', 0,
         "0 passed, 0 failed, 1 skipped"),
        ('<testcase classname="t" name="a"/>', 3, "1 passed, 1 failed, 0 skipped"),
        ("", 5, "0 passed, 1 failed, 0 skipped"),
        ("", 0, "0 passed, 1 failed, 0 skipped"),
    ],
)  # fmt: skip
def test_counting_a_run_of_pytest(tmp_path, cases, status, line):
    path = tmp_path / "junit.xml"
    path.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    assert check.read_junit("guest", path, status).line() == line


def test_the_reason_for_a_skip_is_kept(tmp_path):
    path = tmp_path / "junit.xml"
    path.write_text('<testsuite><testcase classname="test_kvm" name="leaf">'
                    '<skipped message="/dev/kvm is not there"/></testcase></testsuite>')  # fmt: skip
    tally = check.read_junit("guest", path, 0)
    assert tally.skipped == [("guest/test_kvm: leaf", "/dev/kvm is not there")]


def test_no_junit_file_is_a_failure(tmp_path):
    tally = check.read_junit("guest", tmp_path / "none.xml", 1)
    assert tally.line() == "0 passed, 1 failed, 0 skipped"
