#!/usr/bin/python3
"""Writes the seeds of fuzz_scan.c and fuzz_dump.c: what real hypervisors show, in each format of a dump.

    tests/fuzz/cpuid_seeds.py tests/fuzz/corpus

A fuzzer does not come upon twelve bytes of a signature, or upon the 70 characters of a line, by itself.
"""

import sys
from pathlib import Path
from struct import pack

ZEROS, ECHO, CLAMP, PASS_THROUGH = range(4)  # fuzz_scan.c: how other leaves are answered

AMD, INTEL = b"AuthcAMDenti", b"GenuntelineI"  # EBX, ECX, EDX of leaf 0
GUEST = {1: (0x00800F12, 0, 1 << 31, 0)}
LAST = {0xD: (0x21F, 0x240, 0xA88, 0)}


def words(eax, text):
    return (eax, *(int.from_bytes(text[at : at + 4], "little") for at in (0, 4, 8)))


def signed(base, max_leaf, text):
    return {base: words(max_leaf, text.ljust(12, b"\0"))}


def letters(leaf, text):
    return {leaf: (int.from_bytes(text, "little"), 0, 0, 0)}


def machine(vendor, *parts, bare=False):
    leaves = {0: words(0xD, vendor), **({} if bare else GUEST), **LAST}
    for part in parts:
        leaves.update(part)
    return leaves


TIMING = {0x40000010: (2596130, 1000000, 0, 0)}
HYPERV = {**signed(0x40000000, 0x40000006, b"Microsoft Hv"), **letters(0x40000001, b"Hv#1"),
          0x40000003: (0xA76, 0, 0, 0x100)}  # fmt: skip
KVM = {0x40000001: (0x0100007B, 0, 0, 0)}

MACHINES = {
    "tcg": (ECHO, machine(AMD, signed(0x40000000, 0x40000001, b"TCGTCGTCGTCG"))),
    "kvm": (ZEROS, machine(AMD, signed(0x40000000, 0x40000010, b"KVMKVMKVM"), KVM, TIMING,
                           {0x80000000: (0x80000008, 0, 0, 0), 0x80000007: (0, 0, 0, 0x100)})),
    "kvm-old": (ZEROS, machine(AMD, signed(0x40000000, 0, b"KVMKVMKVM"), KVM)),
    "kvm-intel": (ECHO, machine(INTEL, signed(0x40000000, 0x40000001, b"KVMKVMKVM"), KVM)),
    "kvm-hyperv": (ZEROS, machine(AMD, HYPERV, signed(0x40000100, 0x40000101, b"KVMKVMKVM"))),
    "hyperv-debug": (ZEROS, machine(AMD, HYPERV, signed(0x40000000, 0x40000082, b"Microsoft Hv"),
                                    signed(0x40000080, 0x40000082, b"Microsoft VS"),
                                    letters(0x40000081, b"VS#1"))),
    "xen-viridian": (ZEROS, machine(INTEL, HYPERV, signed(0x40000100, 0x40000105, b"XenVMMXenVMM"))),
    "vmware": (ECHO, machine(INTEL, signed(0x40000000, 0x40000010, b"VMwareVMware"),
                             {0x40000010: (2100000, 66000, 3, 0)})),
    "virtualbox": (ZEROS, machine(INTEL, signed(0x40000000, 0x40000010, b""), TIMING)),
    "bhyve": (CLAMP, machine(AMD, signed(0x40000000, 0x40000001, b"bhyve bhyve "), letters(0x40000001, b"\1"))),
    "jailhouse": (PASS_THROUGH, machine(INTEL, signed(0x40000000, 0x40000001, b"Jailhouse"))),
    "evmm": (ZEROS, machine(INTEL, signed(0x40000000, 0xD, b"EVMMEVMMEVMM"))),
    "qnx": (ZEROS, machine(INTEL, signed(0x40000000, 0x40000000, b"QNXQVMBSQG"))),
    "generic": (ZEROS, machine(AMD, signed(0x40000000, 0x40000021, b"UnknownVMM42"), TIMING,
                               signed(0x40000020, 0x40000021, b"GenericVMMIF"),
                               {0x40000021: (2400000, 100000, 0, 0)})),
    "unknown-blocks": (ZEROS, machine(AMD, signed(0x40000030, 0x40000035, b"UnknownVMM42"),
                                      signed(0x40000300, 0x40000305, b"UnknownVMM42"))),
    "apple": (ZEROS, machine(INTEL, signed(0x40000000, 0x40000000, b"Apple VZ"),
                             signed(0x40000100, 0x40000102, b"apple-pv-xnu"), letters(0x40000101, b"AH#1"))),
    "bare": (ECHO, machine(INTEL, bare=True)),
}  # fmt: skip


def scan_seed(beyond, leaves):
    """fuzz_scan.c, leaf_of: how a leaf is numbered there."""
    entries = b""
    for leaf, registers in leaves.items():
        if leaf >> 28 == 4:
            word = (leaf & 0xFFFF) << 2 | 3
        else:
            word = (leaf >> 31 << 5 | leaf & 0x1F) << 2
        entries += pack("<5I", word, *registers)
    return bytes([beyond]) + entries


def cpuid_r(leaves):
    return "CPU 0:\n" + "".join(
        "   0x{:08x} 0x00: eax=0x{:08x} ebx=0x{:08x} ecx=0x{:08x} edx=0x{:08x}\n".format(leaf, *registers)
        for leaf, registers in leaves.items()
    )


def instlatx64(leaves):
    return "".join(
        "CPUID {:08X}: {:08X}-{:08X}-{:08X}-{:08X} [SL 00]\n".format(leaf, *registers)
        for leaf, registers in leaves.items()
    )


def vmware_log(leaves):
    return "vmx| hostCPUID level 00000000, 0: 0x0000000d 0x756e6547 0x6c65746e 0x49656e69\n" + "".join(
        "vmx| guestCPUID level {:08x}, 0: 0x{:08x} 0x{:08x} 0x{:08x} 0x{:08x}\n".format(leaf, *registers)
        for leaf, registers in leaves.items()
    )


def records(leaves):
    return "".join(
        '{{"record":"leaf","leaf":"0x{:08x}","subleaf":"0x00000000","eax":"0x{:08x}","ebx":"0x{:08x}",'
        '"ecx":"0x{:08x}","edx":"0x{:08x}"}}\n'.format(leaf, *registers)
        for leaf, registers in leaves.items()
    )


RUN = ('{"record":"leaf","leaf":"0x40000020","subleaf":"0x00000000","eax":"0x00000000","ebx":"0x00000000",'
       '"ecx":"0x00000000","edx":"0x00000000","count":14,"stride":"0x00000010"}\n')  # fmt: skip

UNNUMBERED = """\
CPUID 00000004: 1C004121-01C0003F-0000003F-00000000
CPUID 00000004: 1C004122-00C0003F-0000007F-00000000
CPUID C0000000: C0000004-00000000-00000000-00000000
"""


def dumps():
    machines = {name: leaves for name, (_, leaves) in MACHINES.items()}
    yield "cpuid-r", cpuid_r(machines["kvm"])
    yield "cpuid-r-two", "\ufeff# two CPUs\r\n" + (cpuid_r(machines["tcg"]) * 2).replace("\n", "\r\n")
    yield "instlatx64", instlatx64(machines["vmware"])
    yield "instlatx64-unnumbered", UNNUMBERED + instlatx64(machines["bhyve"])
    yield "vmware-log", vmware_log(machines["vmware"])
    yield "records", records(machines["generic"]) + RUN
    yield "records-hyperv", records(machines["hyperv-debug"])


def main():
    corpus = Path(sys.argv[1])
    for name, (beyond, leaves) in MACHINES.items():
        (corpus / "scan" / name).write_bytes(scan_seed(beyond, leaves))
    for name, text in dumps():
        (corpus / "dump" / name).write_text(text, encoding="utf-8", newline="")


if __name__ == "__main__":
    main()
