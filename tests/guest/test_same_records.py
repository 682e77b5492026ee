"""One kernel stands behind every door, so the same machine gives the same records whatever the door.

Under icount, where nothing else can make a difference. What the door itself says may differ: the start
record, the memory map, which options line there is, and what an instruction more or less does to a
measured value. The other doors are compared without icount, in test_images.py (firmware and GRUB) and
test_linux.py.
"""

from pathlib import Path

import pytest
from qemu import IMAGE, PASS, boot, pvh_image
from records import check_same

BZIMAGE = IMAGE.with_suffix(".bzImage")


@pytest.fixture(scope="module")
def by_multiboot():
    return boot(accel="icount", options="window=10ms precision=0")


def test_pvh(by_multiboot, tmp_path: Path):
    run = boot(accel="icount", options="window=10ms precision=0", image=pvh_image(tmp_path), door="pvh")
    assert run.status == PASS
    check_same(run.records, by_multiboot.records)


def test_bzimage(by_multiboot):
    run = boot(accel="icount", options="window=10ms precision=0", image=BZIMAGE, door="linux16")
    assert run.status == PASS
    check_same(run.records, by_multiboot.records)


def test_a_difference_is_seen(by_multiboot):
    run = boot(accel="icount", options="window=10ms precision=0", machine="q35")
    with pytest.raises(AssertionError):
        check_same(run.records, by_multiboot.records)
