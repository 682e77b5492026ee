"""Bochs: bare metal to look at, with a TSC of exactly the rate we ask for and leaves that lie."""

import pytest

import bochs

SHORT = "window=50ms"
LYING = [("leaf-0x15", "tsc"), ("leaf-0x15", "bus"), ("leaf-0x16", "tsc"), ("brand", "tsc")]


@pytest.fixture(scope="module", autouse=True)
def needs_bochs():
    problem = bochs.problem()
    if problem:
        pytest.skip(problem)


@pytest.fixture(scope="module")
def skylake():
    return bochs.boot(options=f"{SHORT} debugcon=text")


def holds(run, ips=bochs.IPS):
    """True if everything that was proven about the TSC is true."""
    proven = [m for m in run.records.records("measurement") if m["low_hz"] is not None]
    assert run.records.measurement("all") in proven
    return all(m["low_hz"] <= ips <= m["high_hz"] for m in proven)


def test_bare_metal(skylake):
    records = skylake.records
    assert records.start["boot"] == "multiboot1"
    assert records.start["loader"].startswith("GRUB")
    assert records.hypervisor["present"] is False
    assert records.hypervisor["out_of_range"] == "echo"
    assert records.records("block") == []
    assert records.end["result"] == "pass"


def test_bare_metal_breaks_no_rule(skylake):
    """Its leaves echo as an Intel CPU's do, and without a hypervisor nothing is a leak."""
    checks = {check["id"]: check["result"] for check in skylake.records.records("check")}
    assert [name for name, outcome in checks.items() if outcome == "fail"] == []
    assert checks["present-bit"] == checks["out-of-range-answer"] == checks["cpuid-repeatable"] == "pass"
    assert checks["leaf-0x15-leak"] == "skip"


def test_the_measured_rate_is_the_configured_one(skylake):
    assert holds(skylake)
    live = {clock["clock"] for clock in skylake.records.records("clock")
            if clock["status"] in ("live", "coarse")}  # fmt: skip
    assert {"pit", "hpet", "pmtimer", "lapic"} <= live
    whole = skylake.records.measurement("all")
    assert whole["high_hz"] - whole["low_hz"] < bochs.IPS * 10 / 10**6
    assert skylake.records.clock("hpet")["nominal_hz"] == 10**8
    # Its local APIC's timer runs with the TSC.
    rate = skylake.records.rate("bus")
    assert rate["low_hz"] <= bochs.IPS <= rate["high_hz"]


def test_lying_leaves_are_off_but_nominal(skylake):
    for source, clock in LYING:
        assert skylake.records.claim(source, clock)["nominal"] is True
        assert skylake.records.verdict(source, clock)["verdict"] == "off"
    assert skylake.records.claim("leaf-0x16")["hz"] == 3500 * 10**6
    # What it claims in leaf 0x15 is two numbers, 2 and 0x124, and no crystal.
    assert "leaf 0x16" in skylake.records.claim("leaf-0x15")["reason"]
    assert skylake.records.verdict("leaf-0x16")["error_ppb"] // 10**9 == 69


def test_every_sink(skylake):
    last = f"PASS: {skylake.records.end['reason']}"
    assert skylake.com1.splitlines()[-1] == last
    assert last in skylake.said  # port 0xE9 prints on Bochs' standard output


def test_it_leaves(skylake):
    assert skylake.ended
    assert skylake.records.records("identity")[0]["conclusion"] == "Bochs"
    assert "soft power off" in skylake.said or "shutdown requested" in skylake.said


def test_strict_lets_the_leaves_decide():
    run = bochs.boot(options=f"{SHORT} strict=on")
    assert run.records.end["result"] == "fail"
    assert run.records.verdict("leaf-0x16")["verdict"] == "off"


def test_two_runs_are_the_same_byte_by_byte(skylake):
    again = bochs.boot(options=f"{SHORT} debugcon=text")
    assert (again.com1, again.com2) == (skylake.com1, skylake.com2)


def test_by_multiboot2_the_same(skylake):
    # With Bochs' own BIOS GRUB 2.06 crashes before it enters anything by Multiboot 2.
    if not bochs.SEABIOS.exists():
        pytest.skip(f"{bochs.SEABIOS} is not there")
    run = bochs.boot(options=SHORT, command="multiboot2", bios=bochs.SEABIOS)
    assert run.records.start["boot"] == "multiboot2"
    assert holds(run)
    for kind in ("hypervisor", "block", "scan"):
        assert run.records.records(kind) == skylake.records.records(kind)
    # SMBIOS is the BIOS' own.
    claims = [[claim for claim in each.records.records("claim") if claim["source"] != "smbios"]
              for each in (run, skylake)]  # fmt: skip
    assert claims[0] == claims[1]


@pytest.mark.parametrize("model", ["core2_penryn_t9600", "ryzen", "tigerlake"])
def test_other_models(model):
    run = bochs.boot(model=model, options=SHORT)
    assert run.records.end["result"] == "pass"
    assert run.records.hypervisor["present"] is False
    assert holds(run)


@pytest.mark.parametrize("ips", [20_000_000, 200_000_000])
def test_other_rates(ips):
    run = bochs.boot(ips=ips, options=SHORT)
    assert run.records.end["result"] == "pass"
    assert holds(run, ips)


def test_a_table_of_an_hpet_that_is_not_there():
    run = bochs.boot(options=SHORT, advopts="nohpet")
    assert run.records.clock("hpet")["status"] == "absent"
    assert run.records.clock("pmtimer")["status"] in ("live", "coarse")
    assert run.records.end["result"] == "pass"
    assert holds(run)


def test_without_acpi_the_pit_is_left():
    run = bochs.boot(options=f"{SHORT} tolerance=1000ppm", advopts='"noacpi,nohpet"')
    assert run.records.clock("pmtimer")["status"] == "absent"
    assert run.records.clock("pit")["status"] in ("live", "coarse")
    assert run.records.end["result"] == "pass"
    assert holds(run)


def test_two_processors():
    run = bochs.boot(count=2, options=SHORT)
    assert run.records.start["cpus"] == 2
    (vcpus,) = run.records.records("vcpus")
    assert (vcpus["listed"], vcpus["up"]) == (2, 2)
    assert holds(run)
