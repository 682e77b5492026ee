"""The jobs of docs/ci.md do what they say: their steps are run here, with a QEMU that is staged."""

import re
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests/data"
DOCUMENT = (ROOT / "docs/ci.md").read_text()

# Writes the records that it was told to, where it was told to, and ends as it was told to.
STAGED_QEMU = """\
#!/bin/sh
for word; do
    case $word in
    file:*) [ -z "$STAGED_LOG" ] || cp "$STAGED_LOG" "${word#file:}" ;;
    esac
done
printf '%s\\n' "$@" >arguments
exit "$STAGED_STATUS"
"""


def blocks(key):
    """The shell scripts under `key: |` in the document."""
    found = re.findall(rf"^( *)(?:- )?{key}\n((?:\1  .*\n|\n)+)", DOCUMENT, re.MULTILINE)
    return [textwrap.dedent(body) for _, body in found]


def boot_steps():
    steps = [
        step for step in blocks(r"run: \|") + blocks(r"- \|") if "qemu-system-x86_64 -" in step
    ]
    assert len(steps) == 2, "docs/ci.md has one job with plain QEMU per CI system"
    return steps


def run(step, directory, log, status):
    programs = directory / "programs"
    programs.mkdir()
    qemu = programs / "qemu-system-x86_64"
    qemu.write_text(STAGED_QEMU)
    qemu.chmod(0o755)
    (directory / "hypertick").symlink_to(ROOT)
    path = f"{programs}:/usr/bin:/bin"
    staged = {"STAGED_LOG": str(DATA / log) if log else "", "STAGED_STATUS": str(status)}
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", step],
        cwd=directory,
        env={"PATH": path, **staged},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("step", boot_steps(), ids=["github", "gitlab"])
@pytest.mark.parametrize(
    "log, qemu, status",
    [
        ("run-pass.jsonl", 33, 0),
        ("run-pass.jsonl", 0, 1),  # the guest was reset after its report
        ("run-pass.jsonl", 35, 1),  # the two disagree
        ("run-fail.jsonl", 35, 1),
        ("run-fail.jsonl", 33, 1),
        ("run-inconclusive.jsonl", 37, 2),
        ("run-truncated.jsonl", 33, 3),
        ("run-truncated.jsonl", 124, 3),  # timeout's status
        (None, 0, 64),  # nothing was written
    ],
)
def test_a_job_judges_by_status_and_end_record(step, log, qemu, status, tmp_path):
    done = run(step, tmp_path, log, qemu)
    assert done.returncode == status, done.stderr
    arguments = (tmp_path / "arguments").read_text()
    assert "isa-debug-exit,iobase=0xf4,iosize=4" in arguments
    assert "hypertick/build/hypertick.elf" in arguments


@pytest.mark.parametrize("status, expected", [(0, 0), (1, 1), (2, 0), (3, 3)])
def test_the_tools_run_step_turns_inconclusive_into_a_warning(status, expected, tmp_path):
    (step,) = [step for step in blocks(r"run: \|") if "tools/run" in step]
    tools = tmp_path / "hypertick/tools"
    tools.mkdir(parents=True)
    (tools / "run").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >arguments\nexit {status}\n')
    (tools / "run").chmod(0o755)
    done = subprocess.run(
        ["bash", "-e", "-c", step], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == expected
    assert ("::warning::" in done.stdout) == (status == 2)
    assert "--records\nrun.jsonl\n" in (tmp_path / "arguments").read_text()


def test_the_reports_of_a_failed_run_are_still_made(tmp_path):
    (step,) = [step for step in blocks(r"run: \|") if "GITHUB_STEP_SUMMARY" in step]
    (tmp_path / "hypertick").symlink_to(ROOT)
    shutil.copy(DATA / "run-truncated.jsonl", tmp_path / "run.jsonl")
    environment = {"PATH": "/usr/bin:/bin", "GITHUB_STEP_SUMMARY": "summary.md"}
    subprocess.run(
        ["bash", "-e", "-c", step], cwd=tmp_path, env=environment, check=True, timeout=60
    )
    assert "INCOMPLETE: no end record" in (tmp_path / "summary.md").read_text()
    assert '<error message="run.jsonl: no end record' in (tmp_path / "junit.xml").read_text()


def test_the_jobs_install_what_a_build_needs():
    setup = (ROOT / "tools/setup").read_text()
    needed = re.search(r"^need_build\(\) \{\n(.*?)^\}", setup, re.MULTILINE | re.DOTALL)[1]
    packages = set(re.findall(r"need_program [\w.-]+ (\S+)", needed)) | {"clang", "qemu-system-x86"}
    assert len(packages) >= 5
    lines = re.findall(r"--no-install-recommends\s+(.*)", DOCUMENT)
    assert len(lines) == 2
    for line in lines:
        assert packages <= set(line.split())


def test_the_jobs_are_yaml():
    yaml = pytest.importorskip("yaml")
    jobs = [yaml.safe_load(body) for body in re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)]
    assert [type(job) for job in jobs] == [dict, list, dict, dict]
    assert jobs[0]["jobs"]["hypertick"]["steps"][2]["name"] == "Boot the image"
    assert jobs[2]["hypertick"]["artifacts"]["reports"]["junit"] == "junit.xml"
