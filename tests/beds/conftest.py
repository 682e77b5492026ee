"""What the heavier test beds share: tests/guest/ has the records, tests/bench/ Linux as a guest."""

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path += [str(TESTS / "guest"), str(TESTS / "bench")]

pytest.register_assert_rewrite("qemu", "records")
