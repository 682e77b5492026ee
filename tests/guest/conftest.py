"""What the guest tests share."""

import functools
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

# So that a failing check there shows its values, as one in a test does.
pytest.register_assert_rewrite("qemu", "records", "xen")

import xen  # noqa: E402
from qemu import IMAGE, boot, hypertick_qemu, pvh_image  # noqa: E402

KVM_TRIAL_SECONDS = 10


@pytest.fixture(scope="session", autouse=True)
def image():
    assert IMAGE.exists(), f"{IMAGE} is not built: run `make`"


@functools.lru_cache(maxsize=None)
def kvm_problem():
    """Why KVM cannot be used here, or None.

    /dev/kvm alone promises nothing, so a machine without our image is started, and it works if its
    firmware speaks: a fault of our own must fail a test, not skip it.
    """
    if not Path("/dev/kvm").exists():
        return "/dev/kvm is not there"
    if not hypertick_qemu.kvm_allowed():
        return "this user may not open /dev/kvm"
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "seabios"
        line = [hypertick_qemu.QEMU, "-nodefaults", "-display", "none", "-no-reboot",
                *hypertick_qemu.ACCELERATORS["kvm"],
                "-chardev", hypertick_qemu.file_backend(log) + ",id=seabios",
                "-device", "isa-debugcon,iobase=0x402,chardev=seabios"]  # fmt: skip
        with subprocess.Popen(line, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            try:
                end = time.monotonic() + KVM_TRIAL_SECONDS
                while not (log.exists() and log.stat().st_size):
                    if process.poll() is not None:
                        said = process.stderr.read().decode(errors="replace").strip()
                        return f"QEMU cannot use KVM: {said}"
                    if time.monotonic() > end:
                        return f"under KVM the firmware said nothing in {KVM_TRIAL_SECONDS} s"
                    time.sleep(0.02)
            finally:
                process.kill()
    return None


@pytest.fixture
def kvm():
    """For tests that need KVM: skips them, with the reason, where it does not work."""
    problem = kvm_problem()
    if problem:
        pytest.skip(problem)


# A run under a slow KVM takes 10 s, so those that many tests look at are booted once.


def kvm_boot(**machine):
    problem = kvm_problem()
    if problem:
        pytest.skip(problem)
    return boot(machine="pc", accel="kvm", options="window=5s stop=verdict", **machine)


@pytest.fixture(scope="session")
def kvm_run():
    return kvm_boot()


@pytest.fixture(scope="session")
def kvm_pair_run():
    """Two vCPUs."""
    return kvm_boot(smp=2)


@pytest.fixture(scope="session")
def kvm_hidden_run():
    """KVM without its CPUID leaves."""
    return kvm_boot(cpu=f"{hypertick_qemu.KVM_CPU},kvm=off")


@pytest.fixture(scope="session")
def pvh():
    """A copy of the image that QEMU boots by PVH."""
    with tempfile.TemporaryDirectory() as directory:
        yield pvh_image(Path(directory))


@pytest.fixture(scope="session")
def xen_image():
    """Xen's ELF; skips, with the reason, where it cannot be had."""
    path, problem = xen.fetch()
    if problem:
        pytest.skip(problem)
    return path
