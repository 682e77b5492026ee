"""duration=: windows that follow one another, under -icount, where nothing happens between them."""

import pytest

from qemu import PASS, boot

TRUE_HZ = 10**9


@pytest.fixture(scope="module")
def runs():
    options = "window=50ms duration=300ms cpus=1"
    return [boot(accel="icount", options=options) for _ in range(2)]


def test_two_runs_give_the_same_bytes(runs):
    assert runs[0].com1 == runs[1].com1
    assert runs[0].com2 == runs[1].com2


def test_the_windows_follow_one_another(runs):
    assert runs[0].status == PASS
    records = runs[0].records
    windows = [m for m in records.records("measurement") if m["window"] is not None]
    assert [w["window"] for w in windows] == [0, 1, 2, 3, 4, 5]
    assert {w["clock"] for w in windows} == {"all"}
    at = 0
    for window in windows:
        assert abs(window["at_ns"] - at) <= 10
        assert 50_000_000 <= window["window_ns"] < 50_500_000
        assert window["low_hz"] <= TRUE_HZ <= window["high_hz"]
        at = window["at_ns"] + window["window_ns"]


def test_the_summary_is_about_all_of_them(runs):
    records = runs[0].records
    (monitor,) = records.records("monitor")
    assert monitor["windows"] == 6
    assert 300_000_000 <= monitor["duration_ns"] < 303_000_000
    assert monitor["low_hz"] <= TRUE_HZ <= monitor["high_hz"]
    whole = records.measurement("all")
    assert whole["window"] is None
    assert (whole["low_hz"], whole["high_hz"]) == (monitor["low_hz"], monitor["high_hz"])
    windows = [m for m in records.records("measurement") if m["window"] is not None]
    narrowest = min(w["high_hz"] - w["low_hz"] for w in windows)
    assert whole["high_hz"] - whole["low_hz"] < narrowest / 3
    assert (monitor["steps"], monitor["gaps"], monitor["stretches"]) == (0, 0, 1)
    assert monitor["monotonic"] is True


def test_the_lines_of_text(runs):
    text = runs[0].com1
    text = text.decode() if isinstance(text, bytes) else text
    assert "Monitor: windows of 0.050 s, for 0.300 s" in text
    assert "Over time: 0.30" in text
    begins = [line.split()[0] for line in text.split("Monitor:")[1].splitlines()[2:8]]
    assert begins == ["0.000", "0.050", "0.100", "0.150", "0.200", "0.250"]
