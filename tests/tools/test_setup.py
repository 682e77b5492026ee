"""tools/setup on machines that it could meet, each a folder of stand-in programs as the whole PATH."""

import os
import subprocess
from pathlib import Path

import pytest

SETUP = Path(__file__).resolve().parents[2] / "tools/setup"

# What the script itself needs, from the real machine.
TOOLS = ("true", "cat", "mktemp", "rm", "sed", "uname", "env")
BUILD_TOOLS = ("ld.lld", "llvm-strip", "nasm", "python3", "zopfli")  # besides the compiler
RUN_PROGRAMS = ("clang", *BUILD_TOOLS, "qemu-system-x86_64", "objcopy")
PROGRAMS_BUT_QEMU = [name for name in RUN_PROGRAMS if not name.startswith("qemu")]


@pytest.fixture
def machine(tmp_path):
    """Makes a machine with these programs, and runs tools/setup on it."""
    log = tmp_path / "apt.log"

    def program(name, text):
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def call(needed_for, programs, uid=0, sudo=False, apt="exit 0", **environment):
        for name in TOOLS:
            real = next(p for p in (f"/usr/bin/{name}", f"/bin/{name}") if os.path.exists(p))
            program(name, f'exec {real} "$@"')
        for name in programs:
            program(name, "exit 0")
        program("id", f"echo {uid}")
        if sudo:
            program("sudo", 'while [ "$1" = -n ]; do shift; done; exec "$@"')
        if apt:
            program("apt-get", f'echo "$*" >> {log}; {apt}')
            program("apt-cache", "echo '  Depends: clang-14'")
        done = subprocess.run(["/bin/sh", SETUP, "--needed-for", needed_for], text=True,
                              env={"PATH": str(tmp_path / "bin"), **environment},
                              capture_output=True)  # fmt: skip
        return done.returncode, done.stderr, log.read_text() if log.exists() else ""

    return call


def test_nothing_missing_does_nothing(machine):
    assert machine("run", RUN_PROGRAMS) == (0, "", "")


@pytest.mark.parametrize("uid, sudo", [(0, False), (1000, True)])
def test_only_what_is_missing_is_installed(machine, uid, sudo):
    present = ("clang", "ld.lld", "llvm-strip", "objcopy", "python3", "zopfli")
    status, said, apt = machine("run", present, uid, sudo)
    assert status == 0
    assert "missing: nasm, qemu-system-x86_64" in said
    update, install = apt.splitlines()
    assert update.endswith("update")
    assert install.endswith("install --no-install-recommends nasm qemu-system-x86")


def test_what_images_need(machine):
    status, said, apt = machine("image", PROGRAMS_BUT_QEMU)
    assert status == 0
    for program in ("grub-mkimage", "xorriso", "mformat", "qemu-img"):
        assert program in said
    assert {"grub-common", "xorriso", "mtools", "qemu-utils"} <= set(apt.split())


def test_without_rights_the_command_to_type_is_printed(machine):
    status, said, apt = machine("run", PROGRAMS_BUT_QEMU, uid=1000)
    assert status == 1
    assert apt == ""
    assert ("sudo apt-get update && sudo apt-get install -y --no-install-recommends "
            "qemu-system-x86\n") in said  # fmt: skip


def test_without_apt_the_programs_are_named(machine):
    present = ("clang", "llvm-strip", "nasm", "objcopy", "python3", "zopfli")
    status, said, _ = machine("run", present, apt=None)
    assert status == 1
    assert "missing here: ld.lld, qemu-system-x86_64." in said


def test_a_failing_apt_is_shown(machine):
    status, said, _ = machine("run", (), apt="echo no network >&2; exit 100")
    assert status == 1
    assert "no network" in said
    assert "`apt-get update` failed" in said


def test_the_sanitizers_follow_the_version_of_clang(machine):
    _, _, apt = machine("fuzz", ())
    assert apt.splitlines()[1].endswith("install --no-install-recommends clang libclang-rt-14-dev")


def test_each_thing_is_named_and_installed_once(machine):
    _, said, apt = machine("check", ())
    things = said.splitlines()[0].partition("missing: ")[2].split(", ")
    packages = apt.splitlines()[1].partition("recommends ")[2].split()
    assert len(things) == len(set(things)) > 9
    assert len(packages) == len(set(packages)) > 9


def test_a_build_needs_the_compiler_that_make_was_told(machine):
    assert machine("build", ("clang", *BUILD_TOOLS)) == (0, "", "")
    assert machine("build", ("gcc", *BUILD_TOOLS), CC="gcc -m64")[0] == 0
    _, _, apt = machine("build", BUILD_TOOLS, CC="clang-16")
    assert apt.splitlines()[-1].endswith("recommends clang-16")


def test_an_unknown_purpose_is_refused(machine):
    status, said, _ = machine("fun", RUN_PROGRAMS)
    assert status == 2
    assert said.startswith("usage: ")
