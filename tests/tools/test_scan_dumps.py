"""hypertick-scan over real dumps. What it must find is reasoned from how these hypervisors lay CPUID out.

Those that were measured by this project are in tests/data/cpuid. The others are public, with their
origin in the first line, and not ours to pass on: their tests skip where HYPERTICK_CPUID_DATA, or
../shared/data/cpuid beside the repository, does not have them.
"""

from dataclasses import dataclass, field
from typing import Optional

import pytest

from scan_program import LOCAL, SHARED, run, scan

# The answers of QEMU TCG: it echoes the highest basic leaf, as Intel's CPUs do, whatever CPU it is.
ECHO_ON_AMD = ["out-of-range-answer", "timing-leaf-range"]
ECHO_ON_INTEL = ["timing-leaf-range"]


@dataclass
class Expected:
    vendor: Optional[str]
    failed: list = field(default_factory=list)
    claims: dict = field(default_factory=dict)
    out_of_range: Optional[str] = "zeros"
    passed: list = field(default_factory=list)
    skipped: list = field(default_factory=list)


TIMING = {"leaf-0x40000010 tsc": 2596130000, "leaf-0x40000010 bus": 1000000000}

OURS = {
    # QEMU names KVM at 0x40000000 and, without invtsc, gives no timing leaf.
    "kvm-qemu64-qemu72-local": Expected("KVM", passed=["vendor-max-leaf", "out-of-range-answer"]),
    "kvm-noFreq-qemu72-local": Expected("KVM"),
    "kvm-epyc-invtsc-qemu72-local": Expected(
        "KVM", claims=TIMING, passed=["timing-leaf-values", "timing-leaf-reserved"],
        skipped=["timing-leaf-range", "bus-claim", "claims-agree", "invariant-tsc"],
    ),
    # kvm=off takes the leaves away, and leaves the bit.
    "kvm-off-qemu72-local": Expected(None, ["present-bit"], skipped=["signature-printable"]),
    # KVM answers a guest that is not AMD's with the highest basic leaf: 0xe7 kHz to the careless.
    "kvm-intelvendor-qemu72-local": Expected(
        "KVM", ECHO_ON_INTEL, out_of_range="echo", passed=["out-of-range-answer"]
    ),
    "qemu-tcg-max-local": Expected("QEMU TCG", ECHO_ON_AMD, out_of_range="echo"),
    "qemu-tcg-EPYC-local": Expected("QEMU TCG", ECHO_ON_AMD, out_of_range="echo"),
    "qemu-tcg-Skylake-Client-local": Expected("QEMU TCG", ECHO_ON_INTEL, out_of_range="echo"),
    "qemu-tcg-qemu32-local": Expected("QEMU TCG", ECHO_ON_INTEL, out_of_range="echo"),
    # Its highest basic leaf is all zeros: the echo is not to be told from zeros.
    "qemu-tcg-qemu64-local": Expected("QEMU TCG", passed=["timing-leaf-range"]),
    # The bit is cleared, the leaves stay; and the other way round.
    "qemu-tcg-max-nohv-local": Expected(
        "QEMU TCG", ["present-bit", *ECHO_ON_AMD], out_of_range="echo"
    ),
    "qemu-tcg-max-nosig-local": Expected(None, ["present-bit", *ECHO_ON_AMD], out_of_range="echo"),
}  # fmt: skip

# A root partition sees Hyper-V's interface with both frequency bits.
ROOT_PARTITION = ["interface-signature", "interface-max-leaf", "hyperv-frequency-bits"]
AMD_ROOT = Expected("Hyper-V", passed=ROOT_PARTITION, skipped=["out-of-range-answer"])


def intel_root(mhz):
    return Expected(
        "Hyper-V", claims={"leaf-0x15 tsc": mhz * 1000000, "leaf-0x15 bus": 24000000},
        passed=ROOT_PARTITION, skipped=["leaf-0x15-leak", "leaf-0x16-leak"],
    )  # fmt: skip


THEIRS = {
    # One leaf, as bhyve builds it. What is beyond, and bit 31, the file does not say.
    "bhyve-propolis-constructed": Expected(
        "bhyve", passed=["max-leaf-plausible"],
        skipped=["present-bit", "out-of-range-answer", "signature-once"],
    ),
    "hyperv-InstLatx64-AuthenticAMD0700F01_K16_Kabini3_CPUID": AMD_ROOT,
    "hyperv-InstLatx64-AuthenticAMD0800F12_K17_Zen_CPUID4": AMD_ROOT,
    "hyperv-InstLatx64-AuthenticAMD0850F00_K17_Zen_CPUID3": AMD_ROOT,
    # Comet Lake, model 0xa5, leaves the crystal out: 24 MHz * 308 / 2, and * 342 / 2.
    "hyperv-InstLatx64-GenuineIntel00A0654_CometLake_CPUID": intel_root(3696),
    "hyperv-InstLatx64-GenuineIntel00A0655_CometLake_CPUID3": intel_root(4104),
    # QEMU's hv-*: KVM's own block was not written down. EAX 0x262 has no bit 11, EDX 8 no bit 8.
    "kvm-hvenlightened": Expected("Hyper-V", passed=ROOT_PARTITION),
    # cpuid -r asks for 0x40000100 beyond KVM's block, and not for 0x40000010.
    "kvm-localhost-amd": Expected("KVM", passed=["out-of-range-answer"],
                                  skipped=["timing-leaf-range", "invariant-tsc"]),
    # The timing leaf alone: without 0x40000000 nobody vouches for it.
    "kvm-nitro-commitmsg-timingleaf": Expected(
        None, skipped=["signature-printable", "timing-leaf-values", "blocks-16-form"]
    ),
    # Two machines in a file: the second begins where leaf 0x40000000 comes again.
    "qemu-user-tcg-and-wsl2-pytorch-cpuinfo-pr349": Expected("QEMU TCG"),
    # Hyper-V's interface with VirtualBox' own name: nothing says that it must be Hv#1.
    "virtualbox-hvinterface": Expected("VirtualBox", skipped=["interface-signature"]),
    "vmware-vmwarelog-core2t6500": Expected(
        "VMware", claims={"leaf-0x40000010 tsc": 2100000000, "leaf-0x40000010 bus": 66000000},
        passed=["timing-leaf-values", "timing-leaf-reserved", "vendor-max-leaf"],
    ),
    # EC2: Xen 4.11, whose rate is in its own leaf 3, 0x249f0a kHz, and not in 0x40000010.
    "xen-firecracker-t2": Expected("Xen", claims={"xen-leaf tsc": 2400010000}, passed=["vendor-max-leaf", "max-leaf-plausible"]),
}  # fmt: skip


def compare(found, expected):
    hypervisor = found.one("hypervisor")
    assert hypervisor["vendor"] == expected.vendor
    assert hypervisor["out_of_range"] == expected.out_of_range
    assert found.checks("fail") == expected.failed
    claims = found.claims()
    assert {name: claims.get(name) for name in expected.claims} == expected.claims
    assert [name for name in claims if name.startswith("leaf-") and name not in expected.claims] == []
    assert set(expected.passed) <= set(found.checks("pass"))
    assert set(expected.skipped) <= set(found.checks("skip"))


@pytest.mark.parametrize("name", OURS)
def test_ours(name):
    compare(scan(LOCAL / f"{name}.txt"), OURS[name])


@pytest.mark.parametrize("name", THEIRS)
def test_theirs(name):
    path = SHARED / f"{name}.txt"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    compare(scan(path), THEIRS[name])


def test_every_dump_is_expected():
    """No dump lies there without a test."""
    named = {*OURS, *THEIRS, "qemu72-vmport-pvclock-local"}
    assert {path.stem for path in LOCAL.glob("*.txt")} <= named
    if not SHARED.exists():
        pytest.skip(f"{SHARED} is not here")
    assert {path.stem for path in SHARED.glob("*.txt")} <= named


def test_second_machine_in_a_file_is_counted():
    path = SHARED / "qemu-user-tcg-and-wsl2-pytorch-cpuinfo-pr349.txt"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    notes = [note["text"] for note in scan(path).records("note")]
    assert any(text.startswith("3 lines are of other CPUs") for text in notes)


def test_without_a_leaf():
    """The words of QEMU's VMware port and of pvclock are no CPUID."""
    found = run(LOCAL / "qemu72-vmport-pvclock-local.txt")
    assert found.status == 2
    assert found.stdout == ""
    assert "expected lines of cpuid -r, InstLatx64, a vmware.log or leaf records" in found.stderr
