"""How hypertick is started in QEMU: the one place that knows QEMU's command line."""

import os

QEMU = "qemu-system-x86_64"

# The image writes 0x10, 0x11 or 0x12 to port 0xf4, and isa-debug-exit makes QEMU exit with 2v + 1.
VERDICTS = {33: "PASS", 35: "FAIL", 37: "INCONCLUSIVE"}

# +invtsc (with vmware-cpuid-freq, QEMU's default since 2.9) makes QEMU announce the timing leaf.
# The two that are taken away break some hosts: writing MSR 0x10a is refused by KVMs that do not know
# it, and RDTSCP ends a virtual machine with "KVM internal error" on a KVM that emulates instructions.
KVM_CPU = "host,-arch-capabilities,-rdtscp,+invtsc,vmware-cpuid-freq=on"

ACCELERATORS = {
    "kvm": ["-accel", "kvm", "-cpu", KVM_CPU],
    "tcg": ["-accel", "tcg", "-cpu", "max"],
    # Virtual time is a count of instructions, 1 ns each, so two runs give the same bytes. The clock
    # of the RTC has to follow virtual time and start at a fixed date for that.
    "icount": [
        "-accel", "tcg", "-cpu", "max",
        "-icount", "shift=0,sleep=off",
        "-rtc", "base=2020-01-01,clock=vm",
    ],
}  # fmt: skip


def kvm_allowed():
    """May this user open /dev/kvm? Whether it also works, only a run of it tells."""
    return os.access("/dev/kvm", os.R_OK | os.W_OK)


def file_backend(path):
    """The character device that writes to the file `path`, which is emptied first."""
    return "file,path=" + str(path).replace(",", ",,")


def command(kernel, accel="tcg", options="", com1="stdio", com2=None, flags=()):
    """The command line, as a list, that boots the image `kernel` with the option line `options`.

    `com1` and `com2` are QEMU character devices, None for a machine without that port. `flags` come
    last, so that they win over what is here.
    """
    line = [QEMU, "-nodefaults", "-display", "none", "-no-reboot", *ACCELERATORS[accel]]
    line += ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
    # Ports as devices, not by -serial: microvm makes only the first one of those.
    for index, backend in enumerate((com1, com2)):
        if backend is not None:
            name = f"com{index + 1}"
            kind, _, rest = backend.partition(",")
            line += ["-chardev", ",".join(filter(None, (kind, f"id={name}", rest)))]
            line += ["-device", f"isa-serial,chardev={name},index={index}"]
    # QEMU puts the path before the options, unquoted: relative, it leaves out what the folder is in.
    return [*line, "-kernel", os.path.relpath(kernel), "-append", options, *flags]
