"""Every exception ends in a report and the FAIL status, never in a silent reset."""

import pytest

from qemu import FAIL, boot

NAMES = {"de": "#DE", "ud": "#UD", "gp": "#GP", "pf": "#PF", "stack": "stack overflow"}


@pytest.mark.parametrize("fault", NAMES)
@pytest.mark.parametrize("machine", ["pc", "microvm"])
def test_an_exception_is_reported(machine, fault):
    run = boot(machine=machine, options=f"fault={fault}", early=True)
    assert run.status == FAIL
    assert NAMES[fault] in run.text
    for register in ("rip", "rsp", "cr2", "rax", "r15"):
        assert register in run.text.lower()
    assert run.last_line.startswith("FAIL: ")
    assert run.notes("error")
    (exception,) = run.records.records("exception")
    assert NAMES[fault] in exception["name"] or fault == "stack"
    assert f"rip    {exception['rip'][2:]}" in run.text


def test_the_address_of_a_page_fault():
    run = boot(options="fault=pf", early=True)
    assert "00007f0000001000" in run.text


def test_an_exception_reaches_every_sink():
    run = boot(options="fault=ud com1=tap debugcon=text", early=True)
    assert run.status == FAIL
    assert any(line.startswith("not ok") for line in run.text.splitlines())
    assert "#UD" in run.debugcon.decode()


def test_an_exception_under_kvm(kvm):
    run = boot(machine="microvm", accel="kvm", options="fault=gp", early=True)
    assert run.status == FAIL
    assert "#GP" in run.text
