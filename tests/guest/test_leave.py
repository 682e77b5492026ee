"""How the machine is left where QEMU has no isa-debug-exit: QEMU's own word for what the guest did."""

import json
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from qemu import IMAGE, TIMEOUT_SECONDS, collect, hypertick_qemu

SHORT = "window=50ms"


def leave(options, machine="pc", extra=(), image=IMAGE):
    """Runs without isa-debug-exit; gives the run, and the reason that QEMU's SHUTDOWN event has."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        line = [hypertick_qemu.QEMU, "-nodefaults", "-display", "none", "-no-reboot", "-m", "128",
                "-machine", machine, "-accel", "tcg", "-kernel", str(image), "-append", options,
                "-chardev", hypertick_qemu.file_backend(directory / "com1") + ",id=com1",
                "-serial", "chardev:com1", "-qmp", "stdio", *extra]  # fmt: skip
        done = subprocess.run(line, input=b'{"execute":"qmp_capabilities"}\n', capture_output=True,
                              timeout=TIMEOUT_SECONDS)  # fmt: skip
        events = [json.loads(text) for text in done.stdout.splitlines()]
        reasons = [event["data"]["reason"] for event in events if event.get("event") == "SHUTDOWN"]
        return collect(directory, done.returncode, done.stderr.decode()), reasons


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm,acpi=on"])
@pytest.mark.parametrize("way", ["auto", "acpi", "qemu"])
def test_s5(machine, way):
    run, reasons = leave(f"{SHORT} exit={way}", machine)
    assert run.status == 0
    assert reasons == ["guest-shutdown"]
    assert run.last_line.startswith("PASS")


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm,acpi=on"])
def test_reset(machine):
    run, reasons = leave(f"{SHORT} exit=reset", machine)
    assert run.status == 0
    assert reasons == ["guest-reset"]
    assert run.last_line.startswith("PASS")


def test_the_keyboard_controller_is_left():
    """Without ACPI there is no S5, and no register for a reset."""
    run, reasons = leave(SHORT, "microvm,acpi=off,pic=on", extra=["-device", "i8042"])
    assert run.status == 0
    assert reasons == ["guest-reset"]


def test_nothing_at_all_is_left():
    """QEMU has to be ended from outside: the guest halts, and says so."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        line = [hypertick_qemu.QEMU, "-nodefaults", "-display", "none", "-no-reboot", "-m", "128",
                "-machine", "microvm,acpi=off,rtc=off", "-accel", "tcg", "-kernel", str(IMAGE),
                "-append", SHORT, "-chardev",
                hypertick_qemu.file_backend(directory / "com1") + ",id=com1",
                "-serial", "chardev:com1", "-monitor", "stdio"]  # fmt: skip
        with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            try:
                end = time.monotonic() + TIMEOUT_SECONDS
                while "Halted." not in collect(directory, 0, "").text:
                    assert process.poll() is None, "QEMU ended by itself"
                    assert time.monotonic() < end, "the guest did not halt"
                    time.sleep(0.05)
            finally:
                process.kill()
        assert collect(directory, 0, "").last_line == "Halted."
