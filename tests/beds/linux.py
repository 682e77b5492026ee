"""Debian's Linux, its modules and busybox, downloaded and unpacked but not installed."""

import shutil

import peers
from qemu import ROOT

CACHE = ROOT / "build/beds"
KERNELS = ("linux-image-amd64",)  # the cloud kernel may be built without KVM


def prepare(names):
    """The paths of the kernel, of busybox and of these modules. Raises peers.PeersUnavailable."""
    kernel, busybox = CACHE / "vmlinuz", CACHE / "busybox"
    modules = [CACHE / "modules" / f"{name}.ko" for name in names]
    modules[0].parent.mkdir(parents=True, exist_ok=True)
    if not all(path.exists() for path in [kernel, *modules]):
        root = peers.unpack(peers.kernel_package(KERNELS), CACHE)
        # All that any bed wants, since the package is large.
        for found in [*root.glob("lib/modules/*/kernel/drivers/xen/**/*.ko"),
                      *root.glob("lib/modules/*/kernel/arch/x86/kvm/*.ko"),
                      *root.glob("lib/modules/*/kernel/virt/lib/*.ko"),
                      *root.glob("lib/modules/*/kernel/drivers/crypto/ccp/ccp.ko")]:  # fmt: skip
            shutil.copy(found, modules[0].parent)
        (found,) = root.glob("boot/vmlinuz-*")
        shutil.copy(found, kernel)
        shutil.rmtree(root)
    if not busybox.exists():
        root = peers.unpack(peers.BUSYBOX, CACHE)
        shutil.copy(root / "bin/busybox", busybox)
        shutil.rmtree(root)
    return kernel, busybox, modules
