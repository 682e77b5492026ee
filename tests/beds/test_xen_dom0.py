"""Guests of a real Xen below a Linux dom0: PVH, with the TSC as it is and emulated."""

import pytest

import peers
import xen_dom0

GUESTS = {
    "native": {"type": "pvh", "tsc_mode": "native"},
    "emulated": {"type": "pvh", "tsc_mode": "always_emulate"},
}
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
