"""The audit of the CPUID conventions on what QEMU really shows, and what options do with it."""

import re

import pytest

from qemu import FAIL, PASS, boot

SHORT = "window=100ms"

# QEMU TCG echoes the highest basic leaf, whatever CPU it is: `max` is AMD's with data in leaf 0xd.
ECHO = {"out-of-range-answer", "timing-leaf-range"}


def failed(run):
    return {check["id"] for check in run.records.records("check") if check["result"] == "fail"}


def check(run, name):
    (found,) = [check for check in run.records.records("check") if check["id"] == name]
    return found


@pytest.mark.parametrize("cpu, expected", [
    ("max", ECHO),
    ("qemu64", set()),  # the leaf that it echoes is all zeros
    ("max,-hypervisor", ECHO | {"present-bit"}),
    ("max,tcg-cpuid=off", ECHO | {"present-bit"}),
    ("Skylake-Client", {"timing-leaf-range"}),  # as Intel's CPUs do
], ids=["max", "qemu64", "no-bit", "no-signature", "intel"])  # fmt: skip
def test_what_tcg_fails(cpu, expected):
    run = boot(cpu=cpu, options=SHORT)
    assert run.status == PASS  # checks inform
    assert failed(run) == expected
    assert check(run, "cpuid-repeatable")["result"] == "pass"


def test_a_failed_check_can_be_expected():
    right = boot(cpu="max", options=f"{SHORT} expect=check:out-of-range-answer:fail")
    assert right.status == PASS
    wrong = boot(cpu="max", options=f"{SHORT} expect=check:out-of-range-answer:pass")
    assert wrong.status == FAIL
    assert "expected check:out-of-range-answer:pass, found fail" in wrong.last_line


def test_list_off_and_expect():
    listed = boot(cpu="qemu64", options=f"{SHORT} checks=list expect=check:present-bit:pass")
    assert listed.status == PASS
    ids = [record["id"] for record in listed.records.records("check")]
    assert re.findall(r"^  (?:pass|fail|skip)  ([a-z0-9-]+) \(", listed.text, re.M) == ids
    off = boot(cpu="qemu64", options=f"{SHORT} checks=off")
    assert off.status == PASS
    assert off.records.records("check") == off.records.records("audit") == []
    wrong = boot(cpu="qemu64", options=f"{SHORT} expect=check:present:pass")
    assert wrong.status == FAIL
    assert "ID as checks=list says" in wrong.text


def test_what_it_takes():
    """Each leaf is read once by the scan, or a little more, and once by the audit."""
    run = boot(cpu="qemu64", options=SHORT)
    (audit,) = run.records.records("audit")
    leaves = sum(leaf.get("count", 1) for leaf in run.records.records("leaf"))
    assert leaves <= audit["scan_executions"] < leaves + 20
    assert leaves - 10 <= audit["audit_executions"] <= leaves + 10


def test_kvm_keeps_the_rules(kvm_run):
    run = kvm_run
    assert run.status == PASS
    assert failed(run) == set()
    passed = {check["id"] for check in run.records.records("check") if check["result"] == "pass"}
    assert {"claims-agree", "timing-leaf-reserved", "invariant-tsc", "cpuid-repeatable"} <= passed
