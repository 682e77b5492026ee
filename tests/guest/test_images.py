"""The disk images: booted as CD and as disk, under BIOS and UEFI, and looked into.

What is booted is the menu that is shipped, but for its options, its default entry and its patience.
"""

import functools
import gzip
import hashlib
import os
import re
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest

import efi
import qemu
import records
import screen
from qemu import PASS, ROOT

MENU = ROOT / "boot/grub/grub.cfg"
MIB = 1 << 20
SHORT = "window=50ms"
DEFAULT, LONG, JSON, GRAPHICAL, LINUX = range(5)  # entries of the menu
SECONDS = 120

UEFI = ["-drive", f"if=pflash,format=raw,readonly=on,file={efi.CODE}",
        "-drive", f"if=pflash,format=raw,snapshot=on,file={efi.VARIABLES}"]  # fmt: skip
CD = ["-device", "ide-cd,drive=medium,bootindex=0"]
DISK = ["-device", "ide-hd,drive=medium,bootindex=0"]
VGA = ["-vga", "std"]
USB = ["-device", "qemu-xhci", "-device", "usb-storage,drive=medium,bootindex=0"]


def make_images(output, *formats, menu=MENU, build=ROOT / "build"):
    subprocess.run([ROOT / "tools/image", "--build", build, "--output", output, "--menu", menu,
                    *formats], check=True, capture_output=True)  # fmt: skip


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder with every format."""
    output = tmp_path_factory.mktemp("images")
    make_images(output)
    return output


@pytest.fixture(scope="module")
def medium(tmp_path_factory):
    """Makes an image that boots an entry of the menu at once, with these options."""
    made = {}

    def make(kind, entry, options=SHORT, build=ROOT / "build"):
        if (kind, entry, options, build) not in made:
            output = tmp_path_factory.mktemp(kind)
            text = MENU.read_text()
            # Without an entry the menu waits for a person.
            for old, new in (('options=""', f'options="{options}"'), ("default=0", f"default={entry}"),
                             ("timeout=3", "timeout=-1" if entry is None else "timeout=0")):  # fmt: skip
                assert text.count(f"set {old}\n") == 1
                text = text.replace(f"set {old}\n", f"set {new}\n")
            # A graphics mode in boot_params.
            linux = "linux /boot/hypertick.bzImage"
            assert text.count(linux) == 1
            text = text.replace(linux, f"set gfxpayload=800x600x32\n{linux}")
            (output / "grub.cfg").write_text(text)
            make_images(output, kind, menu=output / "grub.cfg", build=build)
            made[kind, entry, options, build] = output / f"hypertick.{kind}"
        return made[kind, entry, options, build]

    return make


def medium_in(drive, path):
    return ["-drive", f"if=none,id=medium,format=raw,snapshot=on,file={path}", *drive]


def boot(path, drive, door, firmware=(), bare_exit=False, **machine):
    """Boots a medium and checks the run; what firmware and GRUB say before it is cut off."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        line = qemu.start(directory, image=None, **machine, extra=[
            "-net", "none", *firmware, *VGA, *medium_in(drive, path),
        ])  # fmt: skip
        try:
            done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True,
                                  timeout=SECONDS)  # fmt: skip
        except subprocess.TimeoutExpired:
            said = qemu.collect(directory, -1, "").com1
            raise AssertionError(f"no end in {SECONDS} s: {line}\n{said[-2000:]!r}") from None
        run = qemu.collect(directory, done.returncode, done.stderr.decode(errors="replace"))
    expected = (0,) if bare_exit else qemu.RESULTS
    assert run.status in expected, f"status {run.status}: {run.stderr}{run.com1[-2000:]!r}"
    first = re.search(rb'hypertick \d[^\r\n]*, booted by|\{"record"', run.com1)
    assert first, run.com1[-2000:]
    run.com1 = run.com1[first.start() :]
    run.com2 = run.com2[max(run.com2.find(b'{"record"'), 0) :]
    run.records = records.load(run.com2.decode("ascii"), "com2")
    qemu.check(run, door, early=False)
    return run


def shown_on(run):
    """What the screen is."""
    (sink,) = (record for record in run.records.records("sink") if record["sink"] == "screen")
    assert sink["status"] == "open"
    return sink["where"]


def write_to_disk(path, name, text):
    subprocess.run(["mcopy", "-i", f"{path}@@1M", "-", f"::/{name}"], input=text.encode(), check=True,
                   capture_output=True)  # fmt: skip


@functools.cache
def directly_booted(machine):
    """The same machine, with neither GRUB nor UEFI before the image."""
    return qemu.boot(machine=machine, smp=2, memory="256M", options=SHORT, extra=VGA)


def check(run, machine="pc"):
    """It found all that the machine has, and says of it what it says by any other door."""
    assert run.status == PASS
    assert SHORT in run.records.start["options"]
    assert run.records.start["cpus"] == 2, "the ACPI tables were not found"
    assert 240 <= run.records.start["memory_mib"] <= 256
    assert not run.notes("warning") and not run.notes("error")
    for clock in ("pit", "hpet", "pmtimer", "lapic"):
        assert run.records.clock(clock)["status"] == "live"
    # UEFI's firmware leaves other evidence of itself than SeaBIOS does.
    leave_out = ("evidence",) if machine == "q35" else ()
    records.check_same(run.records, directly_booted(machine).records, leave_out)


@pytest.mark.parametrize("kind, drive, entry, door", [
    ("iso", CD, DEFAULT, "multiboot2"),
    ("iso", USB, JSON, "multiboot2"),
    ("iso", CD, GRAPHICAL, "multiboot2"),
    ("iso", CD, LINUX, "linux32"),
], ids=["cd", "usb", "graphical", "linux"])  # fmt: skip
def test_bios(medium, kind, drive, entry, door):
    run = boot(medium(kind, entry), drive, door, smp=2, memory="256M")
    check(run)
    assert shown_on(run).startswith("framebuffer") == (entry in (GRAPHICAL, LINUX))
    if entry == LINUX:
        assert shown_on(run).endswith(", 800x600, 32 bits, 100 by 37 characters")
    if door == "multiboot2":
        assert run.records.start["loader"].startswith("GRUB")
    if entry == JSON:
        assert run.com1.replace(b"\r", b"") == run.com2.replace(b"\r", b"")


KEYS = {" ": "spc", "=": "equal"}


def test_the_menu_and_its_editor(medium, tmp_path):
    """A person chooses the long run, and adds more words to its end than it has of its own."""
    more = " clocks=pit cpus=1 exit=qemu expect=boot:multiboot2 window=11ms"
    line = qemu.start(tmp_path, image=None, smp=2, memory="256M",
                      extra=["-net", "none", *VGA, *medium_in(DISK, medium("img", None))])  # fmt: skip

    def said():
        run = qemu.collect(tmp_path, 0, "")
        return run.com1.decode("latin-1")

    with screen.Machine(line) as machine:

        def press(*keys):
            """One key at a time, and each is answered: GRUB shows what it does on COM1, too."""
            length = len(said())
            machine.command("send-key", keys=[{"type": "qcode", "data": key} for key in keys])
            machine.wait(lambda: len(said()) > length, f"an answer to {keys}")

        machine.wait(lambda: "Power off" in said(), "the menu")
        for entry in ("hypertick: long run", "hypertick: JSON on COM1"):
            assert entry in said()
        press("down")
        press("e")
        machine.wait(lambda: "window=10m precision=0" in said(), "the entry's command line")
        for key in ("down", "down", "end", *["backspace"] * len("window=10m precision=0")):
            press(key)
        for character in more.strip():
            keys = ("shift", "semicolon") if character == ":" else (KEYS.get(character, character),)
            press(*keys)
        machine.command("send-key", keys=[{"type": "qcode", "data": key} for key in ("ctrl", "x")])
        assert machine.process.wait(SECONDS) == PASS
    run = qemu.collect(tmp_path, PASS, "")
    found = records.load(run.com2.decode("ascii"))
    assert found.start["options"] == f"{SHORT} -- {more.strip()}"
    assert found.clock("hpet")["status"] == "unused"


@pytest.mark.parametrize("kind, drive", [("iso", CD), ("img", DISK)], ids=["cd", "disk"])
def test_uefi(medium, kind, drive):
    """Under UEFI the ACPI tables are nowhere but where the loader's tag, or the firmware, says."""
    path = medium(kind, DEFAULT)
    if kind == "img":
        write_to_disk(path, "boot/hypertick.conf", "strict=off")
    run = boot(path, drive, "efi", UEFI, machine="q35", smp=2, memory="256M")
    check(run, "q35")
    assert run.records.start["options"] == ("strict=off -- " if kind == "img" else "") + SHORT
    assert shown_on(run).startswith("framebuffer")


def test_multiboot2_leaves_boot_services_itself(medium):
    """Without ACPI there is no way out but ResetSystem, which is known only if they were alive."""
    options = f"{SHORT} exit=efi"
    run = boot(medium("iso", GRAPHICAL, options), USB, "multiboot2", UEFI, bare_exit=True,
               machine="q35,acpi=off", memory="256M")  # fmt: skip
    assert run.records.end["result"] == "pass"
    assert shown_on(run).startswith("framebuffer")
    assert not run.notes("error")
    assert 240 <= run.records.start["memory_mib"] <= 256


def test_multiboot2_after_boot_services(medium, tmp_path):
    """A copy without header tags 7 and 9: GRUB leaves boot services and enters in 32-bit mode."""
    for suffix in ("bzImage", "efi"):
        shutil.copyfile(ROOT / f"build/hypertick.{suffix}", tmp_path / f"hypertick.{suffix}")
    image = qemu.IMAGE.read_bytes()
    for kind, size in ((7, 8), (9, 12)):
        tag = struct.pack("<HHI", kind, 1, size)
        assert image.count(tag) == 1
        image = image.replace(tag, struct.pack("<HHI", kind + 0x100, 1, size))
    (tmp_path / "hypertick.elf").write_bytes(image)
    run = boot(medium("iso", GRAPHICAL, build=tmp_path), DISK, "multiboot2", UEFI, machine="q35",
               smp=2, memory="256M")  # fmt: skip
    check(run, "q35")
    assert shown_on(run).startswith("framebuffer")


def test_formats(images):
    """All hold what the raw disk holds, and a fixed VHD is a whole number of MiB and its footer."""
    assert (images / "hypertick.iso").stat().st_size <= 5 * MIB
    assert (images / "hypertick.img").stat().st_size % MIB == 0
    assert (images / "hypertick.vhd").stat().st_size % MIB == 512
    for kind, name in (("qcow2", "qcow2"), ("vmdk", "vmdk"), ("vhdx", "vhdx"), ("vhd", "vpc")):
        subprocess.run(["qemu-img", "compare", "-f", "raw", "-F", name, images / "hypertick.img",
                        images / f"hypertick.{kind}"], check=True, capture_output=True)  # fmt: skip


def test_checksums(images):
    lines = (images / "SHA256SUMS").read_text().splitlines()
    assert {line.split("  ")[1] for line in lines} == {
        f"hypertick.{kind}" for kind in ("iso", "img", "qcow2", "vmdk", "vhdx", "vhd")
    }
    for line in lines:
        digest, name = line.split("  ")
        assert digest == hashlib.sha256((images / name).read_bytes()).hexdigest()


def test_built_twice(images, tmp_path):
    """Later, and somewhere else: linked again from the same objects, and imaged again from that."""
    build = tmp_path / "build"
    for part in ("image", "efi"):
        shutil.copytree(ROOT / "build" / part, build / part)
    for payload in (build / "image").glob("payload*"):
        payload.unlink()
    names = [f"hypertick.{suffix}" for suffix in ("elf", "bzImage", "efi")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    subprocess.run(["make", f"BUILD={build}", *(str(build / name) for name in names)], cwd=ROOT,
                   env=environment, check=True, capture_output=True)  # fmt: skip
    for name in names:
        assert (build / name).read_bytes() == (ROOT / "build" / name).read_bytes(), name
    subprocess.run([ROOT / "tools/image", "--build", build, "iso", "img"], check=True,
                   capture_output=True)  # fmt: skip
    for name in ("hypertick.iso", "hypertick.img"):
        assert (build / name).read_bytes() == (images / name).read_bytes(), name


def test_no_path_of_the_build_is_inside():
    """Or the same source elsewhere would be other bytes."""
    kernel = gzip.decompress((ROOT / "build/image/payload.gz").read_bytes())
    assert b"booted by" in kernel
    for content in (kernel, qemu.IMAGE.read_bytes(), efi.PROGRAM.read_bytes()):
        assert str(ROOT).encode() not in content


def test_the_notice_of_grub(images, tmp_path):
    notice = tmp_path / "GRUB.txt"
    subprocess.run(["xorriso", "-indev", images / "hypertick.iso", "-osirrox", "on", "-extract",
                    "/GRUB.txt", notice], check=True, capture_output=True)  # fmt: skip
    text = notice.read_text(encoding="utf-8")
    assert re.search(r"grub2 2\.\d", text) and "GNU GENERAL PUBLIC LICENSE" in text
    disk = subprocess.run(["mtype", "-i", f"{images / 'hypertick.img'}@@1M", "::/GRUB.txt"],
                          check=True, capture_output=True)  # fmt: skip
    assert disk.stdout.decode("utf-8") == text
