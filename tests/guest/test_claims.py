"""The sources of claims, in the emulators and hypervisors that have them."""

import subprocess

import pytest

from qemu import PASS, boot, hypertick_qemu

SHORT = "window=50ms"
# Any length will do: nothing here depends on how well the rate is measured.
LOOSE = "window=50ms tolerance=100000ppm"

SOURCES = {
    "leaf-0x40000010", "generic-block", "pvclock", "hyperv-msr", "hyperv-tsc-page", "xen-leaf",
    "xen-time", "vmware-port", "jailhouse", "leaf-0x15", "leaf-0x16", "msr-0xce", "msr-fsb",
    "amd-pstate", "transmeta", "brand", "smbios",
}  # fmt: skip


def reason(run, source, clock="tsc"):
    claim = run.records.claim(source, clock)
    assert claim["status"] == "absent", claim
    return claim["reason"]


def stated(run, source, clock="tsc"):
    claim = run.records.claim(source, clock)
    assert claim["status"] == "present", claim
    return claim["hz"]


def comparisons(run):
    return {(r["a"], r["b"], r["clock"]): r for r in run.records.records("compare")}


def qemu_refuses(flags, cpu):
    """Why QEMU with KVM does not start with this CPU, or None. Firmware alone is booted."""
    line = [hypertick_qemu.QEMU, "-nodefaults", "-display", "none", "-machine", "pc", "-S",
            "-accel", "kvm", "-cpu", cpu, "-monitor", "stdio", *flags]  # fmt: skip
    done = subprocess.run(line, input=b"quit\n", capture_output=True, timeout=60)
    said = done.stderr.decode(errors="replace")
    return said.strip() or None if done.returncode or "doesn't support" in said else None


@pytest.mark.parametrize("machine", ["pc", "microvm"])
def test_every_source_is_listed(machine):
    run = boot(machine=machine, options=SHORT)
    assert run.status == PASS
    assert {claim["source"] for claim in run.records.records("claim")} == SOURCES
    assert all(c["reason"] for c in run.records.records("claim") if c["status"] == "absent")
    # Those of other machines share a line or two of text.
    assert "  of other machines: generic-block pvclock hyperv-msr" in run.text
    assert "no KVM leaves" not in run.text.split("Reference clocks")[0]


def test_vmport_under_tcg():
    run = boot(machine="pc,vmport=on", options=SHORT)
    assert reason(run, "vmware-port") == "QEMU's vmport answers, but does not know GETHZ"


@pytest.mark.parametrize("machine", ["pc,vmport=off", "q35,vmport=off", "microvm"])
def test_without_vmport(machine):
    run = boot(machine=machine, options=SHORT)
    assert reason(run, "vmware-port") == "nothing answers at port 0x5658"


@pytest.mark.parametrize("cpu", ["max,-hypervisor,tcg-cpuid=off", "max,tcg-cpuid=off"])
def test_qemu_that_hides_answers_all_the_same(cpu):
    """fw_cfg tells who it is; without it, nobody is asked whom CPUID does not show."""
    run = boot(machine="pc,vmport=on", cpu=cpu, options=SHORT)
    assert reason(run, "vmware-port") == "QEMU's vmport answers, but does not know GETHZ"


def test_intel_models_under_tcg():
    """TCG gives 0 for MSRs that it does not know."""
    run = boot(cpu="Skylake-Client", options=SHORT)
    assert reason(run, "msr-0xce") == "the ratio in MSR 0xce is zero"
    assert reason(run, "amd-pstate") == "not such an AMD CPU"
    run = boot(cpu="Penryn", options=SHORT)
    assert reason(run, "msr-0xce") == "the ratio in MSR 0xce is zero"
    assert reason(run, "msr-fsb", "bus") == "MSR 0xcd reads as zero"


def test_amd_models_under_tcg():
    run = boot(cpu="EPYC", options=SHORT)
    assert "bit 24 is clear" in reason(run, "amd-pstate")
    assert reason(run, "msr-0xce") == "not such an Intel CPU"


def test_the_brand_string():
    run = boot(cpu="max,model-id=Frobnicator 9000 @ 2.50GHz", options=SHORT)
    claim = run.records.claim("brand")
    assert (claim["hz"], claim["granularity_hz"]) == (2500000000, 10000000)
    assert claim["nominal"] is True
    assert run.records.verdict("brand")["nominal"] is True
    run = boot(cpu="max,model-id=Frobnicator 9000", options=SHORT)
    assert reason(run, "brand") == 'no MHz or GHz in "Frobnicator 9000"'


def test_leaf_16_states_a_reference_frequency_without_a_verdict():
    """QEMU's model of that leaf is all zeros, unless the host has one."""
    run = boot(cpu="max,level=0x16", options=SHORT)
    assert reason(run, "leaf-0x16", "bclk") == "ECX is zero"
    assert run.records.verdict("leaf-0x16", "bclk") is None


def test_smbios_speeds():
    """QEMU's type 4 structure; only newer versions of it let the external clock be set."""
    speeds = "type=4,max-speed=4100,current-speed=2700"
    run = boot(options=SHORT, extra=["-smbios", speeds])
    claim = run.records.claim("smbios")
    assert (claim["hz"], claim["granularity_hz"]) == (2700000000, 1000000)
    assert claim["nominal"] is True
    assert claim["reason"] == "type 4: current speed; at most 4100 MHz"
    assert run.records.verdict("smbios")["nominal"] is True
    assert reason(run, "smbios", "bclk") == "type 4: the external clock is unknown"
    # 0 is "unknown", and 65535 MHz is absurd.
    run = boot(options=SHORT, extra=["-smbios", "type=4,current-speed=0"])
    assert reason(run, "smbios") == "type 4: the current speed is unknown"
    run = boot(options=SHORT, extra=["-smbios", "type=4,current-speed=65535"])
    assert reason(run, "smbios") == "65535.000000 MHz is outside 100 to 20000 MHz"
    run = boot(machine="microvm", options=SHORT)
    assert reason(run, "smbios") == "no SMBIOS tables"


# --- KVM


def test_kvm_sources_agree(kvm_run):
    """pvclock, the timing leaf and GETHZ state one rate, to 1 ppb beyond their granularity."""
    run = kvm_run
    assert run.status == PASS
    leaf, port = stated(run, "leaf-0x40000010"), stated(run, "vmware-port")
    page = stated(run, "pvclock")
    assert leaf == port
    assert 0 <= page - leaf <= leaf * 10**-9
    assert stated(run, "vmware-port", "bus") == stated(run, "leaf-0x40000010", "bus")
    found = comparisons(run)
    for pair in [("pvclock", "leaf-0x40000010", "tsc"), ("vmware-port", "leaf-0x40000010", "tsc"),
                 ("vmware-port", "pvclock", "tsc"), ("vmware-port", "leaf-0x40000010", "bus")]:  # fmt: skip
        assert found[pair]["agree"] is True
        assert abs(found[pair]["difference_ppb"]) <= 1
    assert "  tsc: 3 claims agree within" in run.text
    assert run.records.claim("pvclock")["reason"].startswith("MSR 0x4b564d01: ")
    assert run.records.claim("vmware-port")["reason"] == "QEMU's vmport answers"


def test_kvm_without_the_leaf(kvm):
    cpu = hypertick_qemu.KVM_CPU.replace("+invtsc", "-invtsc")
    run = boot(machine="pc", accel="kvm", cpu=cpu, options=LOOSE)
    assert run.status == PASS
    assert reason(run, "leaf-0x40000010")
    assert abs(stated(run, "pvclock") - stated(run, "vmware-port")) <= 2


def test_kvm_off(kvm_hidden_run):
    """The leaves are hidden; the port still tells."""
    run = kvm_hidden_run
    assert run.status == PASS
    assert run.records.hypervisor["vendor"] is None
    assert reason(run, "pvclock") == "no KVM leaves"
    assert stated(run, "vmware-port") > 10**8
    assert run.records.claim("vmware-port")["reason"] == "QEMU's vmport answers"


def test_kvm_without_pvclock(kvm):
    cpu = hypertick_qemu.KVM_CPU + ",-kvmclock"
    run = boot(machine="pc,vmport=off", accel="kvm", cpu=cpu, options=LOOSE)
    assert "bits 0 and 3 are clear" in reason(run, "pvclock")
    assert reason(run, "vmware-port") == "nothing answers at port 0x5658"


def test_hyperv_enlightenments(kvm):
    cpu = hypertick_qemu.KVM_CPU + ",hv-time,hv-frequencies,hv-vapic,hv-relaxed"
    problem = qemu_refuses([], cpu)
    if problem:
        pytest.skip(f"no hv-time and hv-frequencies here: {problem.splitlines()[0]}")
    run = boot(machine="pc", accel="kvm", cpu=cpu, options=LOOSE)
    assert run.records.hypervisor["vendor"] == "KVM"
    assert stated(run, "hyperv-msr") == stated(run, "vmware-port")
    assert stated(run, "hyperv-msr", "bus") == 10**9
    claim = run.records.claim("hyperv-tsc-page")
    if claim["status"] == "present":
        assert abs(claim["hz"] - stated(run, "hyperv-msr")) <= 2
    else:  # KVM leaves the page invalid where its master clock is off
        assert claim["reason"] == "its sequence number is 0: it does not hold"
