"""How the tests run tools/report, and the runs that they give it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

REPORT = ROOT / "tools/report"
DATA = ROOT / "tests/data"
PASS, FAIL, INCONCLUSIVE, TRUNCATED, BEFORE, AFTER = (
    str(DATA / f"run-{name}.jsonl")
    for name in ("pass", "fail", "inconclusive", "truncated", "before", "after")
)
FORMATS = ["--text", "--markdown", "--csv", "--json", "--junit"]


def report(*arguments, stdin="", **options):
    done = subprocess.run(
        [sys.executable, str(REPORT), *arguments],
        input=stdin.encode(),
        capture_output=True,
        timeout=60,
        **options,
    )
    done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in done.stderr, done.stderr
    return done


def changed(source, old, new):
    text = Path(source).read_text()
    assert old in text
    return text.replace(old, new)
