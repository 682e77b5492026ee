"""One kernel stands behind every door, so the same machine gives the same records whatever the door.

Under icount, where nothing else can make a difference. What the door itself says may differ: the start
record, the memory map, which options line there is, and what an instruction more or less does to a
measured value.
"""

from pathlib import Path

import pytest
from qemu import IMAGE, PASS, boot, pvh_image

BZIMAGE = IMAGE.with_suffix(".bzImage")

# What a record says about the machine, and not about the moment at which it was measured.
LASTING = {
    "hypervisor": ("present", "vendor", "signature", "max_leaf"),
    "block": ("scan", "base", "signature", "max_leaf", "known"),
    "claim": ("source", "clock", "status", "hz", "reason"),
    "clock": ("clock", "status", "nominal_hz", "bits", "independence", "detail"),
    "evidence": ("source", "finding", "points_to"),
    "identity": ("conclusion", "confidence"),
    "check": ("id", "result"),
    "verdict": ("source", "clock", "verdict"),
}


def lasting(run):
    return {
        kind: [tuple(record.get(field) for field in fields) for record in run.records.records(kind)]
        for kind, fields in LASTING.items()
    }


@pytest.fixture(scope="module")
def by_multiboot():
    return boot(accel="icount", options="window=10ms precision=0")


def check_same(run, reference):
    assert run.status == PASS
    found, expected = lasting(run), lasting(reference)
    for kind in LASTING:
        assert expected[kind], f"no {kind} record: nothing is compared"
        assert found[kind] == expected[kind]


def test_pvh(by_multiboot, tmp_path: Path):
    run = boot(accel="icount", options="window=10ms precision=0", image=pvh_image(tmp_path), door="pvh")
    check_same(run, by_multiboot)


def test_bzimage(by_multiboot):
    run = boot(accel="icount", options="window=10ms precision=0", image=BZIMAGE, door="linux16")
    check_same(run, by_multiboot)


def test_a_difference_is_seen(by_multiboot):
    run = boot(accel="icount", options="window=10ms precision=0", machine="q35")
    with pytest.raises(AssertionError):
        check_same(run, by_multiboot)
