"""A real Xen, with the image as its PVH dom0: a guest with no PIT, no HPET and no PM timer."""

import pytest

import records
import xen
from qemu import INCONCLUSIVE

SHORT = "window=50ms"
# 1 GHz exactly, for every clock: QEMU counts instructions, 2^5 ns each.
ICOUNT = ["-icount", "shift=5,sleep=off", "-rtc", "base=2020-01-01,clock=vm"]
XEN_CLAIMS = ("xen-leaf", "xen-leaf-scale", "xen-leaf-host", "xen-time")


@pytest.fixture(scope="module")
def short(xen_image):
    return xen.boot(xen_image, SHORT)


def test_the_hypervisor(short):
    assert short.start["boot"] == "pvh"
    assert short.start["options"] == f"com1=json {SHORT}"
    assert short.hypervisor["vendor"] == "Xen"
    assert short.hypervisor["present"] is True
    assert short.hypervisor["signature"] == "XenVMMXenVMM"
    blocks = short.records("block")
    assert [(block["base"], block["known"]) for block in blocks] == [("0x40000000", "Xen")]
    scans = {scan["scan"]: scan for scan in short.records("scan")}
    assert scans["blocks16"]["found"] == scans["blocks256"]["found"] == 1


def test_it_keeps_the_rules(short):
    """A healthy hypervisor: not one check fails. Leaf 3 may change between two readings."""
    checks = {check["id"]: check["result"] for check in short.records("check")}
    assert [name for name, outcome in checks.items() if outcome == "fail"] == []
    for name in ("present-bit", "vendor-max-leaf", "out-of-range-answer", "cpuid-repeatable"):
        assert checks[name] == "pass"


def test_its_claims_agree(short):
    """Its leaf's three rates and its clock page, by hypercall, are one rate."""
    rates = {}
    for source in XEN_CLAIMS:
        claim = short.claim(source)
        assert claim["status"] == "present", claim
        assert claim["nominal"] is (source == "xen-leaf-host")
        rates[source] = claim["hz"]
    assert rates["xen-leaf"] % 1000 == 0
    assert max(rates.values()) - min(rates.values()) <= 1000
    assert rates["xen-time"] == rates["xen-leaf-scale"]
    assert "emulated" in short.claim("xen-leaf")["reason"]  # QEMU TCG has no invariant TSC
    # The outer QEMU's port shines through to dom0. It must not be asked.
    assert short.claim("vmware-port")["reason"] == "neither VMware nor QEMU"
    pairs = [r for r in short.records("compare") if {r["a"], r["b"]} <= set(XEN_CLAIMS)]
    assert len(pairs) == 6
    assert all(pair["agree"] for pair in pairs)


def test_without_timers_the_report_says_so(short):
    for clock in ("pit", "hpet", "pmtimer", "pvclock", "hyperv-refcount"):
        assert short.clock(clock)["status"] == "absent"
        assert short.clock(clock)["reason"]
    assert short.measurement("all")["estimate_hz"] is None
    assert all(verdict["verdict"] == "inconclusive" for verdict in short.records("verdict"))
    assert short.end["result"] == "inconclusive"
    assert short.end["reason"].startswith("no reference clock of known rate is live")


def test_its_time_is_no_witness(short):
    """It emulates dom0's TSC here, from the very clock that its page holds."""
    clock = short.clock("xen-time")
    assert clock["status"] == "disabled"
    assert clock["reason"].startswith("it emulates the TSC")
    assert clock["independence"] == "tsc-derived"


def test_the_leaf_holds_against_the_clock_there_is(xen_image):
    """The CMOS clock is left, which a long window can use."""
    run = xen.boot(xen_image, "window=3s tolerance=1000ppm", ICOUNT)
    assert run.end["result"] == "pass"
    assert run.clock("rtc")["status"] == "live"
    measured = run.measurement("all")
    assert measured["low_hz"] <= 10**9 <= measured["high_hz"]
    for source in XEN_CLAIMS:
        assert abs(run.claim(source)["hz"] - 10**9) <= 1000
        assert run.verdict(source)["verdict"] == "ok"


def test_the_text_on_com1(xen_image):
    status, com1, _ = xen.run(xen_image, f"com1=text {SHORT}", "com2")
    assert status == INCONCLUSIVE
    lines = com1.splitlines()
    assert ", booted by pvh" in lines[0]
    assert "Hypervisor: Xen" in lines
    assert lines[-1].startswith("INCONCLUSIVE: no reference clock of known rate is live")


def test_on_the_console_of_xen_alone(xen_image):
    """Xen keeps the UART of its console for itself; dom0 writes there by hypercall."""
    status, com1, _ = xen.run(xen_image, f"com1=json com2=off debugcon=json {SHORT}", "com1")
    assert status == INCONCLUSIVE
    lines = [line for line in com1.splitlines() if not line.startswith("(XEN)")]
    run = records.load("\n".join(lines) + "\n", "console")
    assert run.start["boot"] == "pvh"
    assert run.hypervisor["vendor"] == "Xen"
    assert run.end["result"] == "inconclusive"
    sinks = {sink["sink"]: sink["status"] for sink in run.records("sink")}
    assert sinks["com1"] == "absent"
    assert sinks["debugcon"] == "open"
