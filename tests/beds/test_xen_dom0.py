"""Guests of a real Xen below a Linux dom0: PVH, and HVM with and without Hyper-V's interface."""

import pytest

import peers
import xen_dom0

GUESTS = {
    "native": {"type": "pvh", "tsc_mode": "native"},
    "emulated": {"type": "pvh", "tsc_mode": "always_emulate"},
}
HVM = {
    "plain": {"type": "hvm"},
    "viridian": {"type": "hvm", "viridian": ["all"]},
    "timerless": {"type": "hvm", "hpet": 0, "acpi": 0},
}
HVM_TRIES = 3
OPTIONS = "window=100ms tolerance=100000ppm"
XEN_CLAIMS = ("xen-leaf", "xen-leaf-scale", "xen-leaf-host", "xen-time")


@pytest.fixture(scope="module")
def runs():
    try:
        return xen_dom0.boot(GUESTS, "window=100ms")
    except peers.PeersUnavailable as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("name", GUESTS)
def test_pvh(runs, name):
    run = runs[name]
    assert run.start["boot"] == "pvh"
    assert run.start["memory_mib"] == 64  # of the map, which a dom0 is not given
    assert run.hypervisor["vendor"] == "Xen"
    assert [block["base"] for block in run.records("block")] == ["0x40000000"]
    assert run.claim("xen-leaf")["hz"] % 1000 == 0


@pytest.mark.parametrize("name", GUESTS)
def test_pvh_has_no_timers(runs, name):
    run = runs[name]
    for clock in ("pit", "hpet", "pmtimer", "rtc"):
        assert run.clock(clock)["status"] == "absent"
    assert run.end["result"] == "inconclusive"


@pytest.mark.parametrize("name", GUESTS)
def test_the_claims_are_near_each_other(runs, name):
    """Xen's clock page may follow the host's clock by some ppm where the TSC is the host's."""
    rates = [runs[name].claim(source)["hz"] for source in XEN_CLAIMS]
    assert max(rates) - min(rates) < rates[0] / 1000


def test_the_leaf_tells_who_makes_the_tsc(runs):
    native, emulated = (runs[name].claim("xen-leaf")["reason"] for name in GUESTS)
    assert native.startswith("tsc_mode 2 (never emulated), ")
    assert emulated.startswith("tsc_mode 1 (always emulated), emulated, ")


@pytest.fixture(scope="module")
def hvm():
    """Boots one of HVM, once for all its tests."""
    done = {}

    def get(name):
        for _ in range(HVM_TRIES):
            if name in done:
                break
            try:
                # Any rate will do: TCG stalls the guest's clocks one by one.
                done.update(xen_dom0.boot({name: HVM[name]}, OPTIONS))
            except peers.PeersUnavailable as reason:
                pytest.skip(str(reason))
            except xen_dom0.NeverLoaded as reason:
                print(reason)
        assert name in done, f"the guest was not loaded in {HVM_TRIES} boots"
        return done[name]

    return get


@pytest.mark.parametrize("name", HVM)
def test_hvm(hvm, name):
    run = hvm(name)
    assert run.start["boot"] == "multiboot1"
    assert run.hypervisor["vendor"] == "Xen"
    assert run.clock("pit")["status"] == "live"
    assert run.end["result"] == "pass"
    assert run.measurement("all")["status"] == "ok"


def test_hvm_timers(hvm):
    """Xen's HPET runs at 62.5 MHz: its period is 16 ns."""
    assert hvm("plain").clock("hpet")["nominal_hz"] == 62_500_000
    assert hvm("plain").clock("pmtimer")["status"] == "live"
    assert hvm("timerless").clock("hpet")["status"] == "absent"
    assert hvm("timerless").clock("pmtimer")["status"] == "absent"


def test_viridian(hvm):
    """Hyper-V's interface at the first base, Xen's own behind it."""
    run = hvm("viridian")
    found = {block["base"]: block["signature"] for block in run.records("block")}
    assert found == {"0x40000000": "Microsoft Hv", "0x40000100": "XenVMMXenVMM"}
    assert run.hypervisor["interface"] == "Hv#1"
    assert run.claim("hyperv-msr", "bus")["hz"] == 10**8
    assert run.claim("hyperv-msr")["hz"] == run.claim("xen-leaf")["hz"]
    assert run.clock("hyperv-refcount")["status"] == "live"
    assert run.clock("hyperv-refcount")["independence"] == "tsc-derived"
    assert run.claim("xen-time")["status"] == "present"  # the hypercall page's MSR moves, too


def test_without_viridian(hvm):
    run = hvm("plain")
    assert [block["base"] for block in run.records("block")] == ["0x40000000"]
    assert run.claim("hyperv-msr")["status"] == "absent"
