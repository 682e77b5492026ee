"""The audit of the CPUID conventions on what QEMU really shows, and what options do with it."""

import json
import re
import subprocess

import pytest

from qemu import FAIL, IMAGE, PASS, boot

SHORT = "window=100ms"

# QEMU TCG echoes the highest basic leaf, whatever CPU it is: `max` is AMD's with data in leaf 0xd.
ECHO = {"out-of-range-answer", "timing-leaf-range"}


def failed(run):
    return {check["id"] for check in run.records.records("check") if check["result"] == "fail"}


def check(run, name):
    (found,) = [check for check in run.records.records("check") if check["id"] == name]
    return found


# These need a measurement, a second reading, or that it was this program that read the leaves.
OF_A_RUN = {"cpuid-repeatable", "claims-agree", "bus-claim", "invariant-tsc", "leaf-0x15-leak",
            "leaf-0x16-leak", "unknown-blocks-ignored"}  # fmt: skip


def check_same_by_scan(run):
    """hypertick-scan, given what the guest has read, says what the guest said."""
    done = subprocess.run([IMAGE.with_name("hypertick-scan"), "--json", "-"],
                          input=run.com2, capture_output=True, check=False)  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    scanned, guest = ([json.loads(line) for line in output.splitlines()] for output in (done.stdout, run.com2))

    def of(records, kind, fields=None):
        found = [record for record in records if record["record"] == kind]
        return [{key: record[key] for key in fields} for record in found] if fields else found

    for kind in ("hypervisor", "block", "scan"):
        assert of(scanned, kind) == of(guest, kind)
    sources = {claim["source"] for claim in of(scanned, "claim")}
    assert {"leaf-0x40000010", "leaf-0x15", "leaf-0x16", "brand"} <= sources
    assert of(scanned, "claim") == [
        claim for claim in of(guest, "claim") if claim["source"] in sources
    ]
    fields = ("id", "result", "detail", "proposal")
    both = [[check for check in of(records, "check", fields) if check["id"] not in OF_A_RUN]
            for records in (scanned, guest)]  # fmt: skip
    assert both[0] == both[1]
    assert len(both[0]) > 10


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
    check_same_by_scan(run)


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
    check_same_by_scan(run)
