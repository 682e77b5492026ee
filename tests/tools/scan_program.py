"""build/hypertick-scan, for the tests: its output as records, held against the schema."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "build/hypertick-scan"
SHARED = Path(os.environ.get("HYPERTICK_CPUID_DATA", ROOT / "../shared/data/cpuid"))
LOCAL = ROOT / "tests/data/cpuid"

sys.path.insert(0, str(ROOT / "tools"))

from hypertick_report import schema  # noqa: E402

SECONDS = 60


@dataclass
class Scan:
    status: int
    stdout: str
    stderr: str

    def records(self, kind):
        found = [json.loads(line) for line in self.stdout.splitlines()]
        return [record for record in found if record["record"] == kind]

    def one(self, kind):
        (record,) = self.records(kind)
        return record

    def checks(self, result):
        return [check["id"] for check in self.records("check") if check["result"] == result]

    def claims(self):
        """Hertz of what is claimed, by source and clock."""
        return {
            f"{claim['source']} {claim['clock']}": claim["hz"]
            for claim in self.records("claim")
            if claim["status"] == "present"
        }


def run(*arguments, stdin=""):
    done = subprocess.run(
        [str(PROGRAM), *map(str, arguments)],
        input=stdin, capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    return Scan(done.returncode, done.stdout, done.stderr)


def scan(file, stdin=""):
    """The records of a dump, which is a sound one: what holds for each of them is checked here."""
    found = run("--json", file, stdin=stdin)
    assert found.status in (0, 1), found.stderr
    assert found.stderr == ""
    lines = found.stdout.splitlines()
    for line in lines:
        assert schema.errors(json.loads(line)) == [], line
    end = found.one("end")
    assert lines[-1] == lines[-1].strip() and json.loads(lines[-1]) == end
    assert end["records"] == len(lines)
    assert end["result"] == ("fail" if found.status else "pass")
    assert bool(found.checks("fail")) == (found.status == 1)
    return found
