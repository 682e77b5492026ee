"""What the heavier test beds share: tests/guest/ has the records, tests/bench/ Linux as a guest."""

import importlib.util
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path += [str(TESTS / "guest"), str(TESTS / "bench")]

pytest.register_assert_rewrite("qemu", "records")

# Both are called conftest, so that one is loaded by its path.
_spec = importlib.util.spec_from_file_location("guest_conftest", TESTS / "guest/conftest.py")
_guest = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_guest)
kvm, xen_image = _guest.kvm, _guest.xen_image
