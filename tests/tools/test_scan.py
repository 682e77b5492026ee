"""hypertick-scan: its formats, its messages and its exit status."""

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


@pytest.mark.parametrize("convert", [as_instlatx64, as_vmware_log, lambda text: "CPU 0:\n" + text])
@pytest.mark.parametrize("name", ["kvm-epyc-invtsc-qemu72-local", "qemu-tcg-max-local"])
def test_formats_agree(name, convert):
    path = LOCAL / f"{name}.txt"
    converted = scan("-", stdin=convert(path.read_text()))
    assert findings(converted) == findings(scan(path))


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
    listed = re.findall(r"^  (?:pass|fail|skip)  ([a-z0-9-]+) \(", run("--list", INVTSC).stdout, re.M)
    assert listed == ids
    rules = [check["rule"] for check in run("--json", "--list", INVTSC).records("check")]
    assert re.findall(r"^        rule:  (.*)$", run("--list", INVTSC).stdout, re.M) == rules


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
    text[4] = text[4][:-5]  # a word with fewer digits, which is one all the same
    text[9] = text[9].replace("ecx", "exc")
    found = run("--json", "-", stdin="\n".join(text))
    assert found.status == 2
    assert found.stdout == ""
    assert found.stderr.startswith("-:10: expected 0xLEAF 0xSUBLEAF: eax=0x")
    assert len(found.stderr.splitlines()) == 1


def test_unknown_lines_are_counted():
    text = "one\ntwo\n\n# three\n" + INVTSC.read_text()
    (note,) = [
        note["text"] for note in scan("-", stdin=text).records("note") if "lines" in note["text"]
    ]
    assert note == "2 lines of the dump are not of CPUID"


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
