"""The reference clocks that need a long look, or a machine of their own, in QEMU."""

import pytest

from qemu import INCONCLUSIVE, PASS, boot

ICOUNT_HZ = 10**9  # under -icount the TSC is virtual time in nanoseconds


def clock(run, name):
    return next(c for c in run.records.records("clock") if c["clock"] == name)


def half_width_ppm(measurement):
    low, high = float(measurement["low_hz"]), float(measurement["high_hz"])
    return (high - low) / (high + low) * 1e6


# --- The CMOS clock alone


@pytest.mark.parametrize(
    "extra",
    [
        [],
        ["-rtc", "base=localtime,clock=host"],
        ["-rtc", "base=2024-02-29T23:59:58,clock=vm"],
        ["-rtc", "base=utc,clock=rt"],
        ["-rtc", "base=utc,driftfix=slew"],
    ],
    ids=["default", "host", "vm-midnight", "rt", "slew"],
)
def test_the_cmos_clock_is_enough(extra):
    run = boot(options="clocks=rtc window=3s precision=0", extra=extra)
    assert run.status == PASS
    rtc = clock(run, "rtc")
    assert (rtc["status"], rtc["nominal_hz"]) == ("live", 1)
    assert rtc["independence"] == "host-wall-clock"
    every = run.records.measurement("all")
    assert every["window_ns"] >= 2.9e9
    # How narrow it is depends on how busy this host is; under icount, below, it does not.
    assert every["status"] == "ok"
    assert 0 < every["low_hz"] < every["high_hz"]
    assert run.records.records("step") == []


def test_the_cmos_clock_when_no_other_device_is_left():
    """The LAPIC timer is hidden as well: CPUID has no bit for it."""
    run = boot(machine="pc,hpet=off,pit=off,acpi=off", cpu="max,-apic",
               options="window=3s precision=0")  # fmt: skip
    assert run.status == PASS
    live = {c["clock"] for c in run.records.records("clock") if c["status"] in ("live", "coarse")}
    assert live == {"rtc"}
    assert run.records.measurement("rtc")["status"] == "ok"


def test_its_enclosure_holds_the_true_rate():
    run = boot(accel="icount", options="clocks=rtc window=3s precision=0")
    assert run.status == PASS
    every = run.records.measurement("all")
    assert every["low_hz"] <= ICOUNT_HZ <= every["high_hz"]
    assert half_width_ppm(every) < 5
    assert run.records.records("step") == []


def test_it_says_when_the_window_is_too_short_for_it():
    run = boot(options="clocks=rtc window=1s")
    assert run.status == INCONCLUSIVE
    rtc = clock(run, "rtc")
    assert rtc["status"] == "slow"
    assert "window" in rtc["reason"]


def test_a_machine_without_it():
    run = boot(machine="microvm,rtc=off", options="clocks=rtc,pit window=20ms")
    assert run.status == PASS
    assert clock(run, "rtc")["status"] == "absent"


# --- All together


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_all_clocks_tell_one_story(machine):
    run = boot(machine=machine, accel="icount", options="window=2200ms precision=0")
    assert run.status == PASS
    measured = {m["clock"]: m for m in run.records.records("measurement")}
    assert set(measured) == {"pit", "hpet", "pmtimer", "lapic", "rtc", "all"}
    for name, measurement in measured.items():
        assert measurement["status"] == "ok", name
        assert measurement["low_hz"] <= ICOUNT_HZ <= measurement["high_hz"], name
    # The CMOS clock is read around its ticks only, and takes little of the window.
    assert measured["rtc"]["samples"] < measured["pit"]["samples"] / 2
    assert "host-timebase and host-wall-clock" in run.text


def test_each_clock_has_its_class():
    run = boot(options="window=20ms")
    classes = {c["clock"]: c["independence"] for c in run.records.records("clock")}
    assert classes["pit"] == classes["hpet"] == classes["pmtimer"] == "host-timebase"
    assert classes["rtc"] == "host-wall-clock"


def test_without_a_hypervisor_in_sight_the_crystal_is_its_own():
    run = boot(cpu="max,-hypervisor,tcg-cpuid=off", options="clocks=rtc,pit window=3s precision=0")
    assert run.status == PASS
    assert clock(run, "rtc")["independence"] == "crystal-32k"
    assert clock(run, "pit")["independence"] == "hardware"
    measurement = run.records.measurement("rtc")
    # Widened by 100 ppm to both sides.
    widening = measurement["raw_low_hz"] / measurement["low_hz"] - 1
    assert 99e-6 < widening < 101e-6


# --- Under KVM


def test_pairs_of_the_kvm_host(kvm_run):
    """Where KVM gives pairs of its own, they agree with the other clocks, and are read quickest."""
    run = kvm_run
    assert run.status == PASS
    pvclock = clock(run, "pvclock")
    if pvclock["status"] != "live":
        assert "derives it from the TSC" in pvclock["reason"]
        return
    assert pvclock["independence"] == "host-timebase"
    assert run.records.measurement("pvclock")["status"] == "ok"


def test_kvm_without_its_clock(kvm_hidden_run):
    assert clock(kvm_hidden_run, "pvclock")["status"] == "absent"
