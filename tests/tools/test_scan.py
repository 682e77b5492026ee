"""hypertick-scan: its formats, its messages and its exit status."""

import json
import platform
import re
import subprocess

import pytest

from scan_program import LOCAL, PROGRAM, run, scan

INVTSC = LOCAL / "kvm-epyc-invtsc-qemu72-local.txt"
LINE = re.compile(r"0x(\w{8}) 0x(\w\w): eax=0x(\w{8}) ebx=0x(\w{8}) ecx=0x(\w{8}) edx=0x(\w{8})")


def findings(found):
    """What a scan says about the machine, without what it says about the file."""
    kinds = ("hypervisor", "block", "scan", "claim", "check")
    return [record for kind in kinds for record in found.records(kind)]


def as_instlatx64(text):
    return "------[ Logical CPU #0 ]------\n" + "".join(
        f"CPUID {leaf.upper()}: {a}-{b}-{c}-{d} [SL {sub}]\n".upper()
        for leaf, sub, a, b, c, d in LINE.findall(text)
    )


def as_vmware_log(text):
    lines = LINE.findall(text)
    host = "vmx| hostCPUID level 00000000, 0: 0x0000000d 0x756e6547 0x6c65746e 0x49656e69\n"
    return host + "".join(
        f"Jun 28 23:41:17.988: vmx| guestCPUID level {leaf}, {int(sub, 16):x}: "
        f"0x{a} 0x{b} 0x{c} 0x{d}\n"
        for leaf, sub, a, b, c, d in lines
    )


def as_old_instlatx64(text):
    """Sub-leaves are not numbered, but in order."""
    return re.sub(r" \[SL \w+\]", "", as_instlatx64(text))


def with_crlf_and_mark(text):
    return "\ufeff" + text.split("\n", 1)[1].replace("\n", "\r\n")


def as_two_cpus(text):
    """The second one is another hypervisor's, and must not be seen."""
    lines = [match.group() for match in LINE.finditer(text)]
    other = [re.sub("ebx=0x[0-9a-f]*", "ebx=0x41414141", line) for line in lines]
    return "CPU 0:\n   " + "\n   ".join(lines) + "\nCPU 1:\n   " + "\n   ".join(other)


CONVERSIONS = [as_instlatx64, as_old_instlatx64, as_vmware_log, with_crlf_and_mark, as_two_cpus]


@pytest.mark.parametrize("convert", CONVERSIONS)
@pytest.mark.parametrize("name", ["kvm-epyc-invtsc-qemu72-local", "qemu-tcg-max-local"])
def test_formats_agree(name, convert):
    path = LOCAL / f"{name}.txt"
    converted = scan("-", stdin=convert(path.read_text()))
    assert findings(converted) == findings(scan(path))
    if convert is not as_old_instlatx64:
        assert converted.records("leaf") == scan(path).records("leaf")


def test_subleaves_without_numbers():
    """As in the dumps of the first years: what follows leaf 4 must not be taken for another CPU's."""
    text = """\
CPUID 00000000: 0000000B-756E6547-6C65746E-49656E69
CPUID 00000004: 1C004121-01C0003F-0000003F-00000000
CPUID 00000004: 1C004122-00C0003F-0000007F-00000000
CPUID 00000004: 1C004143-01C0003F-000001FF-00000000
CPUID 0000000B: 00000001-00000002-00000100-00000000 [SL 00]
CPUID 0000000B: 00000004-00000008-00000201-00000000
CPUID 40000000: 40000010-61774D56-4D566572-65726177 [VMwareVMware]
"""
    found = scan("-", stdin=text)
    assert found.one("hypervisor")["vendor"] == "VMware"
    leaves = [(leaf["leaf"], leaf["subleaf"]) for leaf in found.records("leaf")]
    assert [int(leaf, 16) for leaf, _ in leaves] == [0, 4, 4, 4, 0xB, 0xB, 0x40000000]
    assert [int(sub, 16) for _, sub in leaves] == [0, 0, 1, 2, 0, 1, 0]


@pytest.mark.parametrize("name", ["kvm-epyc-invtsc-qemu72-local", "qemu-tcg-max-local"])
def test_own_records_are_a_dump(name):
    first = scan(LOCAL / f"{name}.txt")
    again = scan("-", stdin=first.stdout)
    assert findings(again) == findings(first)
    assert again.records("leaf") == first.records("leaf")


def test_text():
    found = run(INVTSC)
    assert found.status == 0
    assert "\nHypervisor: KVM\n" in found.stdout
    assert re.search(r"leaf-0x40000010 +tsc +2596\.130000 MHz", found.stdout)
    assert found.stdout.endswith("\nPASS: no check failed\n")
    assert "rule:" not in found.stdout
    assert max(map(len, found.stdout.splitlines())) <= 100


def test_list():
    ids = [check["id"] for check in scan(INVTSC).records("check")]
    text = run("--list", INVTSC).stdout
    assert re.findall(r"^  (?:pass|fail|skip)  ([a-z0-9-]+) \(", text, re.M) == ids
    rules = [check["rule"] for check in run("--json", "--list", INVTSC).records("check")]
    unwrapped = re.sub(r"\n {15}(?=\S)", " ", text)
    assert re.findall(r"^        rule:  (.*)$", unwrapped, re.M) == rules


def test_every_check_is_documented():
    table = (LOCAL.parents[2] / "docs/checks.md").read_text()
    documented = re.findall(r"^\| `([a-z0-9-]+)` \| `([a-z0-9-]+)` \|", table, re.M)
    checks = scan(INVTSC).records("check")
    assert documented == [(check["id"], check["proposal"]) for check in checks]


def test_failed_check_is_shown():
    found = run(LOCAL / "kvm-off-qemu72-local.txt")
    assert found.status == 1
    assert "  fail  present-bit (vendor-leaf)\n" in found.stdout
    assert "        found: set, but there is no signature leaf\n" in found.stdout
    assert found.stdout.endswith("\nFAIL: 1 check failed\n")


def test_malformed_lines_are_named():
    text = INVTSC.read_text().splitlines()
    text[4] = text[4][:-5]  # a word that is cut off is another value
    text[9] = text[9].replace("ecx", "exc")
    found = run("--json", "-", stdin="\n".join(text))
    assert found.status == 2
    assert found.stdout == ""
    lines = found.stderr.splitlines()
    assert [line.split(" ")[0] for line in lines] == ["-:5:", "-:10:"]
    assert lines[0].startswith("-:5: expected 0xLEAF 0xSUBLEAF: eax=0x%08x")


@pytest.mark.parametrize("line, expected", [
    ("0x40000000 0x00: eax=0x00000001 ebx=0x00000002 ecx=0x00000003", "0xLEAF 0xSUBLEAF: eax=0x"),
    ("0x40000000: eax=0x00000001 ebx=0x00000002 ecx=0x00000003 edx=0x00000004", "0xLEAF 0xSUBLEAF: eax=0x"),
    ("0x400000000 0x00: eax=0x00000001 ebx=0x00000002 ecx=0x00000003 edx=0x00000004", "0xLEAF 0xSUBLEAF: eax=0x"),
    ("CPUID 40000000: 40000010-61774D56-4D566572", "CPUID LEAF: EAX-EBX-ECX-EDX"),
    ("CPUID 40000000: 40000010-61774D56-4D566572-6572617G", "CPUID LEAF: EAX-EBX-ECX-EDX"),
    ("CPUID 00000004: 00000001-00000002-00000003-00000004 [SL x]", "CPUID LEAF: EAX-EBX-ECX-EDX"),
    ("vmx| guestCPUID level 40000000, 0: 0x40000010", "guestCPUID level LEAF, SUBLEAF: and four words"),
    ("vmx| hostCPUID level 40000000, z: 0x00000001 0x00000002 0x00000003 0x00000004", "hostCPUID level LEAF, SUBLEAF: and four words"),
    ('{"record":"leaf","leaf":"0x40000000","subleaf":"0x00000000","eax":"0x00000000"}', "a leaf record"),
    ('{"record":"leaf","leaf":1}', "a leaf record"),
    ("0x40000000 0x00: eax=0x00000001 ebx=0x00000002 ecx=0x00000003 edx=0x0004", "0xLEAF 0xSUBLEAF: eax=0x"),
    ("CPUID 40000000: 40000010-61774D56-4D566572-657261", "CPUID LEAF: EAX-EBX-ECX-EDX"),
])  # fmt: skip
def test_malformed_lines_of_each_format(line, expected):
    found = run("-", stdin=f"# a comment\n{line}\n{INVTSC.read_text()}")
    assert found.status == 2
    assert found.stdout == ""
    assert found.stderr.startswith(f"-:2: expected {expected}")
    assert len(found.stderr.splitlines()) == 1
    assert f'found "{line[:40]}' in found.stderr


def test_unknown_lines_are_counted():
    text = "one\ntwo\n\n# three\n" + INVTSC.read_text()
    (note,) = [
        note["text"] for note in scan("-", stdin=text).records("note") if "lines" in note["text"]
    ]
    assert note == "2 lines of the dump are not of CPUID"


def leaf_record(leaf, words="0x00000000", **more):
    fields = {"record": "leaf", "leaf": leaf, "subleaf": "0x00000000", **more}
    fields.update({name: words for name in ("eax", "ebx", "ecx", "edx")})
    return json.dumps(fields, separators=(",", ":")) + "\n"


def test_leaf_numbers_that_begin_with_a_letter():
    """Centaur's: a leaf, while CPUID without one begins lines of other kinds."""
    text = (
        "CPUID 00000000: 00000001-746E6543-736C7561-48727561\n"
        "CPUID C0000000: C0000004-00000000-00000000-00000000\nCPUID Registers (CPU #1)\n"
    )
    found = scan("-", stdin=text)
    assert [leaf["leaf"] for leaf in found.records("leaf")] == ["0x00000000", "0xc0000000"]
    assert "1 line of the dump is not of CPUID" in [note["text"] for note in found.records("note")]


def test_two_cpus_of_hypervisor_leaves_only():
    """No sub-leaf is left unnumbered there: what comes twice is of two CPUs."""
    line = "CPUID 40000000: 40000010-61774D56-4D566572-65726177\n"
    found = scan("-", stdin=line * 2)
    assert len(found.records("leaf")) == 1
    assert any("1 line is of other CPUs" in note["text"] for note in found.records("note"))


def test_runs_are_bounded():
    """A dump of a few lines must not keep the program busy for hours."""
    runs = [leaf_record(f"0x{i:08x}", count=65536, stride="0x00000100") for i in range(3)]
    assert scan("-", stdin="".join(runs[:2])).status == 0
    found = run("-", stdin="".join(runs))
    assert found.status == 2
    assert found.stderr.startswith("-:3: expected at most 4096 leaves, and 131072 in runs; found")


def test_nothing_to_say():
    """cpuid without -r decodes its leaves, but for a few: that is no machine without hypervisor."""
    line = "   0x00000011 0x00: eax=0x00000000 ebx=0x00000000 ecx=0x00000000 edx=0x00000000\n"
    found = run("-", stdin="CPU:\n   vendor_id = \"AuthenticAMD\"\n" + line)
    assert found.status == 2
    assert found.stdout == ""
    assert "expected leaf 0x0, 0x4000xx00 or 0x40000010; found none" in found.stderr


def test_utf_16(tmp_path):
    """PowerShell's >."""
    path = tmp_path / "dump.txt"
    path.write_text(INVTSC.read_text().replace("\n", "\r\n"), encoding="utf-16", newline="")
    assert findings(scan(path)) == findings(scan(INVTSC))


def test_wide():
    """A vendor space is looked at if asked for."""
    text = INVTSC.read_text() + leaf_record("0x4015ad00", "0x4015ad01").replace(
        '"ebx":"0x4015ad01","ecx":"0x4015ad01","edx":"0x4015ad01"',
        '"ebx":"0x6e6b6e55","ecx":"0x566e776f","edx":"0x32344d4d"',
    )
    assert "vendor-space-form" in scan("-", stdin=text).checks("skip")
    found = run("--json", "--wide", "-", stdin=text)
    assert "vendor-space-form" in found.checks("pass")
    assert [block["base"] for block in found.records("block")] == ["0x40000000", "0x4015ad00"]


def test_what_a_dump_has_not_is_not_judged():
    """An AIDA64 dump of a guest may end before the hypervisor's leaves."""
    text = "\n".join(line for line in INVTSC.read_text().splitlines() if not line.startswith("0x4"))
    found = scan("-", stdin=text)
    assert found.status == 0
    assert {"present-bit", "signature-printable", "out-of-range-answer"} <= set(found.checks("skip"))
    lines = [match.group() for match in LINE.finditer(INVTSC.read_text())]
    found = scan("-", stdin="\n".join(line for line in lines if line.startswith(("0x00000001", "0x40000000"))))
    assert found.status == 0
    assert "present-bit" in found.checks("pass")
    found = scan("-", stdin=lines[0])
    assert any("no leaf 0x1" in note["text"] for note in found.records("note"))


@pytest.mark.parametrize("arguments", [("--jsn",), ("a", "b"), ("-x",)])
def test_usage(arguments):
    found = run(*arguments)
    assert found.status == 2
    assert "usage: hypertick-scan" in found.stderr
    assert found.stdout == ""


def test_help():
    found = run("--help")
    assert found.status == 0
    assert found.stdout.startswith("usage: hypertick-scan")


def test_files_that_cannot_be_read(tmp_path):
    assert run(tmp_path / "missing").status == 2
    assert "No such file" in run(tmp_path / "missing").stderr
    assert run(tmp_path).status == 2
    (tmp_path / "empty").touch()
    assert run(tmp_path / "empty").status == 2


def test_output_that_cannot_be_written():
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([PROGRAM, INVTSC], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 2
    assert b"standard output" in done.stderr


@pytest.mark.skipif(platform.machine() != "x86_64", reason="no CPUID here")
def test_this_machine():
    found = run("--json")
    assert found.status in (0, 1)
    assert "cpuid-repeatable" in found.checks("pass")
    assert found.one("hypervisor")["cpu_vendor"].strip("?")
    # What it read is a dump that says the same.
    again = scan("-", stdin=found.stdout)
    assert again.records("block") == found.records("block")
    assert again.checks("fail") == found.checks("fail")
