"""The definition files in contrib/ and the pages in docs/hypervisors/: what tools here can validate.

Every check is a function from a text to the list of what is wrong with it. Each runs on the real files,
where it must find nothing, and on broken copies, where it must find something.
"""

import ast
import json
import re
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CONTRIB = ROOT / "contrib"
PAGES = ROOT / "docs/hypervisors"
FIRECRACKER = json.loads((ROOT / "tests/data/firecracker.schema.json").read_text())

ARTEFACTS = {"elf", "bzImage", "efi", "iso", "img", "qcow2", "vmdk", "vhdx", "vhd"}


def needs(program):
    if not shutil.which(program):
        pytest.skip(f"{program} is not here")


def run(*command, text):
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    return [] if done.returncode == 0 else [done.stdout + done.stderr or "failed"]


# --- One check per kind of definition file


def libvirt(text):
    needs("virt-xml-validate")
    return run("virt-xml-validate", "-", "domain", text=text)


def firecracker(text):
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        return [str(error)]
    validator = jsonschema.Draft7Validator(FIRECRACKER)
    return [error.message for error in validator.iter_errors(document)]


def shell(text):
    problems = run("sh", "-n", text=text)
    if not text.startswith("#!/bin/sh\n"):
        problems.append("no #!/bin/sh")
    if not re.search(r"^set -eu$", text, re.MULTILINE):
        problems.append("no set -eu")
    if not problems:
        needs("shellcheck")
        problems = run("shellcheck", "-", text=text)
    return problems


# Of KubeVirt's API v1: what may be in the mappings that our manifests have.
KUBEVIRT_FIELDS = {
    "domain": {"cpu", "resources", "clock", "devices", "firmware", "machine", "features"},
    "clock": {"utc", "timezone", "timer"},
    "timer": {"hpet", "pit", "rtc", "kvm", "hyperv"},
    "devices": {"disks", "logSerialConsole", "interfaces", "autoattachSerialConsole"},
    "kernelBoot": {"container", "kernelArgs"},
    "container": {"image", "kernelPath", "initrdPath", "imagePullPolicy"},
}


def unknown_fields(node, name=""):
    if isinstance(node, list):
        return [problem for item in node for problem in unknown_fields(item, name)]
    if not isinstance(node, dict):
        return []
    known = KUBEVIRT_FIELDS.get(name, set(node))
    problems = [f"{name} has no field {key}" for key in set(node) - known]
    return problems + [p for key, value in node.items() for p in unknown_fields(value, key)]


def kubevirt(text):
    try:
        manifest = yaml.safe_load(text)
        spec = manifest["spec"]
        domain = spec["domain"]
        head = (manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"])
        memory = domain["resources"]["requests"]["memory"]
        kernel = domain.get("firmware", {}).get("kernelBoot")
        disks = {disk["name"] for disk in domain["devices"].get("disks", [])}
        volumes = {volume["name"] for volume in spec.get("volumes", [])}
        images = [volume["containerDisk"]["image"] for volume in spec.get("volumes", [])]
        images += [kernel["container"]["image"]] if kernel else []
    except (yaml.YAMLError, KeyError, TypeError) as error:
        return [f"{type(error).__name__}: {error}"]
    problems = unknown_fields(spec)
    if head[:2] != ("kubevirt.io/v1", "VirtualMachineInstance") or not head[2].startswith("hypertick"):
        problems.append(f"not a VirtualMachineInstance: {head}")
    if not re.fullmatch(r"\d+Mi", str(memory)):
        problems.append(f"memory {memory}")
    if disks != volumes:
        problems.append(f"disks {disks} are not volumes {volumes}")
    if kernel and not kernel["container"].get("kernelPath", "").startswith("/boot/"):
        problems.append("kernelPath is not where the Containerfile puts the kernel")
    if not images or any(not re.fullmatch(r"REGISTRY/hypertick:\S+", image) for image in images):
        problems.append(f"images {images}")
    return problems


def containerfile(text):
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    problems = [] if lines[:1] == ["FROM scratch"] else ["not FROM scratch"]
    added = [re.fullmatch(r"ADD --chown=107:107 hypertick\.(\w+) (/disk/|/boot/)", line)
             for line in lines[1:]]  # fmt: skip
    if None in added:
        return [*problems, f"not understood: {lines[1 + added.index(None)]}"]
    problems += [f"no such artefact: {m[1]}" for m in added if m[1] not in ARTEFACTS]
    if [m[1] for m in added if m[2] == "/disk/"] != ["qcow2"]:
        problems.append("a containerDisk has one disk in /disk/")
    return problems


XL_KEYS = {"name", "type", "kernel", "cmdline", "memory", "vcpus", "tsc_mode", "on_poweroff", "on_reboot",
           "on_crash", "disk", "boot", "serial", "hpet", "acpi", "viridian"}  # fmt: skip
XL_NEEDS = {"pvh": {"kernel", "cmdline"}, "hvm": {"disk", "boot", "serial"}}


def xl(text):
    """xl.cfg(5) is a subset of Python: assignments of numbers, strings and lists."""
    try:
        tree = ast.parse(text)
        if not all(isinstance(line, ast.Assign) and len(line.targets) == 1 for line in tree.body):
            return ["not only assignments"]
        values = {line.targets[0].id: ast.literal_eval(line.value) for line in tree.body}
    except (SyntaxError, ValueError, AttributeError) as error:
        return [str(error)]
    problems = [f"no such key: {key}" for key in set(values) - XL_KEYS]
    wanted = {"name", "memory", "vcpus"} | XL_NEEDS.get(values.get("type"), {"a type"})
    return problems + [f"{key} is missing" for key in wanted - set(values)]


def vmx(text):
    lines = [line for line in text.splitlines() if line]
    pairs = [re.fullmatch(r'([.\w]+[:.\w]*) = "([^"]*)"', line) for line in lines]
    if None in pairs:
        return [f"not understood: {lines[pairs.index(None)]}"]
    values = {pair[1]: pair[2] for pair in pairs}
    problems = [] if len(values) == len(pairs) else ["a key is given twice"]
    wanted = {"config.version", "virtualHW.version", "guestOS", "memsize", "firmware",
              "serial0.fileName", "serial1.fileName", "sata0:0.fileName"}  # fmt: skip
    problems += [f"{key} is missing" for key in wanted - set(values)]
    for key in values:
        device = key.rpartition(".")[0]
        if re.search(r"\d$", device) and values.get(f"{device}.present") != "TRUE":
            problems.append(f"{device} is not present")
    return problems


BOCHS = {"config_interface", "display_library", "romimage", "vgaromimage", "megs", "cpu", "clock",
         "ata0", "ata0-master", "boot", "com1", "com2", "log", "panic", "error", "info", "debug",
         "mouse", "sound", "speaker", "port_e9_hack"}  # fmt: skip


def bochs(text):
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    pairs = [re.fullmatch(r"([\w-]+): (\S.*)", line) for line in lines]
    if None in pairs:
        return [f"not understood: {lines[pairs.index(None)]}"]
    values = {pair[1]: pair[2] for pair in pairs}
    problems = [f"no such option: {key}" for key in set(values) - BOCHS]
    problems += [f"{key} is missing" for key in BOCHS - set(values)]
    problems += [f"{key} goes to no file" for key in ("com1", "com2")
                 if not re.search(r"mode=file, dev=\S+", values.get(key, ""))]  # fmt: skip
    return problems


def powershell(text):
    """There is no PowerShell here: quotes and brackets match, and what it defines is used."""
    problems = []
    code = re.sub(r"(?m)#.*$", "", re.sub(r'"[^"\n]*"', '""', text))
    if '"' in code.replace('""', ""):
        problems.append("a quote is left open")
    for left, right in ("()", "[]", "{}"):
        if code.count(left) != code.count(right):
            problems.append(f"{left} and {right} do not match")
    defined = set(re.findall(r"(?<=\])\$(\w+)", code)) | set(re.findall(r"\$(\w+) = ", code))
    defined |= {"true", "false", "null"}
    used = set(re.findall(r"\$(\w+)", text)) - {"ErrorActionPreference"}
    return problems + [f"${name} is not defined" for name in used - defined]


CHECKS = {
    "*.xml": libvirt,
    "*.json": firecracker,
    "*.sh": shell,
    "*.yaml": kubevirt,
    "Containerfile": containerfile,
    "*.cfg": xl,
    "*.vmx": vmx,
    "bochsrc": bochs,
    "*.ps1": powershell,
}
FILES = sorted(path for path in CONTRIB.rglob("*") if path.is_file())
NAMES = [str(path.relative_to(CONTRIB)) for path in FILES]


def check_of(path):
    return next((check for pattern, check in CHECKS.items() if Path(path).match(pattern)), None)


@pytest.mark.parametrize("name", NAMES)
def test_a_definition_file_is_valid(name):
    check = check_of(name)
    assert check, f"no check for contrib/{name}"
    assert check((CONTRIB / name).read_text()) == []


def test_scripts_can_be_executed_and_nothing_else():
    for path in FILES:
        assert bool(path.stat().st_mode & 0o111) == (path.suffix == ".sh"), path


@pytest.mark.parametrize(
    "name, old, new",
    [
        ("libvirt/hypertick-kernel.xml", "<memory unit='MiB'>", "<memory unit='MiB' colour='red'>"),
        ("libvirt/hypertick-kernel.xml", "name='hpet'", "name='sundial'"),
        ("libvirt/hypertick-disk.xml", "</oemStrings>", ""),
        ("libvirt/hypertick-disk.xml", "<oemStrings>", "<oemStrings><entry/><colour/>"),
        ("firecracker/hypertick.json", '"boot-source"', '"boot_source"'),
        ("firecracker/hypertick.json", '"vcpu_count": 2', '"vcpu_count": "2"'),
        ("firecracker/hypertick.json", '"vcpu_count": 2,', ""),
        ("firecracker/hypertick.json", '"drives": [],', '"drives": []'),
        ("kvmtool/run.sh", "set -eu", "set -e"),
        ("kvmtool/run.sh", "${CPUS:-2}", "${CPUS:-2"),
        ("kvmtool/run.sh", '"${CPUS:-2}"', "$CPUS"),
        ("kubevirt/hypertick.yaml", "terminationGracePeriodSeconds: 0", "  x: [0"),
        ("kubevirt/hypertick.yaml", "hpet:", "sundial:"),
        ("kubevirt/hypertick.yaml", "volumes:\n    - name: hyper", "volumes:\n    - name: other"),
        ("kubevirt/hypertick.yaml", "memory: 128Mi", "memory: 128"),
        ("kubevirt/hypertick.yaml", "kind: VirtualMachineInstance", "kind: Pod"),
        ("kubevirt/hypertick-kernel.yaml", "kernelArgs", "cmdline"),
        ("kubevirt/hypertick-kernel.yaml", "/boot/hypertick.elf", "/hypertick.elf"),
        ("kubevirt/Containerfile", "107:107", "0:0"),
        ("kubevirt/Containerfile", "FROM scratch", "FROM debian"),
        ("kubevirt/Containerfile", "hypertick.qcow2", "hypertick.qcow3"),
        ("xen/hypertick-pvh.cfg", 'type = "pvh"', 'type = "pvhh"'),
        ("xen/hypertick-pvh.cfg", "kernel =", "kernle ="),
        ("xen/hypertick-hvm.cfg", ":cdrom,r\"]", ":cdrom,r\""),
        ("xen/hypertick-hvm.cfg", "memory = 128", "memory = 64 * 2"),
        ("vmware/hypertick.vmx", 'memsize = "128"', "memsize = 128"),
        ("vmware/hypertick.vmx", 'serial1.present = "TRUE"\n', ""),
        ("vmware/hypertick.vmx", "memsize", "numvcpus"),
        ("bochs/bochsrc", "com1: enabled=1, mode=file", "com1: enabled=1, mode=null"),
        ("bochs/bochsrc", "megs: 128", "megs 128"),
        ("bochs/bochsrc", "sound:", "noise:"),
        ("hyper-v/hypertick.ps1", "$pipe.Connect(10000)", "$pipe.Connect(10000"),
        ("hyper-v/hypertick.ps1", "$name = ", "$title = "),
        ("hyper-v/hypertick.ps1", '"hypertick.log"', '"hypertick.log'),
    ],
)  # fmt: skip
def test_a_broken_copy_is_found(name, old, new):
    text = (CONTRIB / name).read_text()
    assert old in text
    assert check_of(name)(text.replace(old, new)) != []


# --- The options of hypertick, wherever a page or a file gives some


def known_keys(document):
    """The keys of the first table of docs/options.md."""
    table = document[document.index("| key | default |") :].split("\n\n")[0]
    return {key for row in table.splitlines()[2:] for key in re.findall(r"`(\w+)`", row.split("|")[1])}


KEYS = known_keys((ROOT / "docs/options.md").read_text())
SINK = r"text|json|text\+json|tap|off|auto"
VALUES = {
    "window": r"\d+(\.\d+)?(ns|us|ms|s|m|h)",
    "precision": r"0|\d+(\.\d+)?(ppb|ppm)",
    "tolerance": r"\d+(\.\d+)?(ppb|ppm)",
    "strict": r"on|off",
    "scan": r"standard|wide",
    "stop": r"precision|verdict",
    "expect": r"((vendor|boot|tsc|claim|clock|check):[\w.:-]+,?)+",
    **dict.fromkeys(("com1", "com2", "com3", "com4", "debugcon", "screen", "pciserial"), SINK),
}
# Where options stand. The word that a page writes in plain code spans is one of the last two.
CONTEXTS = [
    r'-append [\'"]([^\'"]*)[\'"]',
    r'OPTIONS="([^"]*)"',
    r"<cmdline>([^<]*)</cmdline>",
    r"<entry>hypertick:([^<]*)</entry>",
    r"<entry\s+name='opt/hypertick/options'>([^<]*)</entry>",
    r'opt/hypertick/options,string="?([^"`$]*?)["`]',
    r"[=\"`]hypertick:([^\"'`$\n]*)[\"'`]",
    r'"boot_args": "([^"]*)"',
    r"kernelArgs: (.*)",
    r'^cmdline = "([^"]*)"',
    r'set options="([^"]*)"',
    r"\$\{[12]-([^}]*)\}",
    r'--(?:params|cmdline) "([^"$]*)',
    r'run\.sh [^"\n]*"([^"]*)"',
    r"`((?:window|com\d|precision|tolerance|strict|expect|stop|scan)=[^`]*)`",
]


def option_lines(text):
    return [line for context in CONTEXTS for line in re.findall(context, text, re.MULTILINE) if line]


def wrong_options(text):
    problems = []
    for line in option_lines(text):
        for word in line.split():
            key, equals, value = word.partition("=")
            if not equals or key not in KEYS:
                problems.append(f"{word}: no such option, in {line!r}")
            elif not re.fullmatch(VALUES.get(key, r".+"), value):
                problems.append(f"{word}: no such value, in {line!r}")
    return problems


OPTION_FILES = [*FILES, *sorted(PAGES.glob("*.md"))]


@pytest.mark.parametrize("path", OPTION_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_options_are_hyperticks(path):
    assert wrong_options(path.read_text()) == []


def test_every_file_that_gives_options_is_looked_into():
    """A pattern that no longer fits its file would find nothing wrong with it."""
    given = {str(path.relative_to(ROOT)) for path in OPTION_FILES if option_lines(path.read_text())}
    for name in (
        "libvirt/hypertick-kernel.xml", "libvirt/hypertick-disk.xml", "firecracker/hypertick.json",
        "cloud-hypervisor/run.sh", "crosvm/run.sh", "kvmtool/run.sh", "bhyve/run.sh",
        "virtualbox/run.sh", "proxmox/run.sh", "xen/hypertick-pvh.cfg",
        "kubevirt/hypertick-kernel.yaml",
    ):  # fmt: skip
        assert f"contrib/{name}" in given
    assert {f"docs/hypervisors/{name}.md" for name in ("README", "qemu", "libvirt", "bhyve")} <= given


@pytest.mark.parametrize("name, old, new", [
    ("contrib/libvirt/hypertick-kernel.xml", "window=", "windows="),
    ("contrib/libvirt/hypertick-disk.xml", "=1000ms", "=fast"),
    ("contrib/firecracker/hypertick.json", "com1=text+json", "com1=xml"),
    ("contrib/kvmtool/run.sh", "window=", "quiet window="),
    ("contrib/cloud-hypervisor/run.sh", "com1=", "com9="),
    ("contrib/proxmox/run.sh", "com1=text+json", "com1=both"),
    ("contrib/bhyve/run.sh", "window=", "wnidow="),
    ("contrib/xen/hypertick-pvh.cfg", "1000ms", "1000"),
    ("contrib/kubevirt/hypertick-kernel.yaml", "window=", "winds="),
    ("docs/hypervisors/qemu.md", '"window=10s"', '"window=10"'),
    ("docs/hypervisors/README.md", "window=10s com1", "window=10s com7"),
])  # fmt: skip
def test_a_wrong_option_is_found(name, old, new):
    text = (ROOT / name).read_text()
    assert old in text
    assert wrong_options(text.replace(old, new)) != []


# --- The pages


def anchors(text):
    """The names that GitHub gives to headings."""
    text = re.sub(r"(?ms)^```.*?^```", "", text)
    headings = re.findall(r"(?m)^#+ (.*)$", text)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(path, text):
    text = re.sub(r"(?ms)^```.*?^```", "", text)
    problems = []
    for link in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name) if name else path
        if not target.exists():
            problems.append(f"{link}: no such file")
        elif anchor and anchor not in anchors(text if not name else target.read_text()):
            problems.append(f"{link}: no such heading")
    return problems


DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    assert broken_links(path, path.read_text()) == []


@pytest.mark.parametrize("old, new", [
    ("(qemu.md)", "(qume.md)"),
    ("(../../contrib)", "(../contrib)"),
    ("(../options.md#the-exit-status)", "(../options.md#exit)"),
])  # fmt: skip
def test_a_broken_link_is_found(old, new):
    path = PAGES / "README.md"
    assert old in path.read_text()
    assert broken_links(path, path.read_text().replace(old, new)) != []


def wrong_files(text):
    """Files of ours that a page names and that are not in the tree, nor made by make."""
    problems = [f"build/hypertick.{end}" for end in re.findall(r"build/hypertick\.(\w+)", text)
                if end not in ARTEFACTS]  # fmt: skip
    named = re.findall(r"(?:^|[^\w./])(contrib/[\w./-]*[\w-])", text.replace("\\", "/"), re.MULTILINE)
    return problems + [name for name in named if not (ROOT / name).exists()]


def wrong_page(text):
    problems = wrong_files(text)
    said = re.findall(r"(?m)^(Run: yes, on \S|Not run: \S)", text)
    if len(said) != 1:
        problems.append(f"says {len(said)} times whether it has been run")
    problems += [f"no {word} in its table" for word in ("file", "options", "report", "clocks", "exit")
                 if not re.search(rf"(?m)^\| (other )?({word}|doors) \|", text)]  # fmt: skip
    problems += [f"no {heading}" for heading in ("## What to expect", "## Known quirks")
                 if heading not in text]  # fmt: skip
    return problems


PAGE_NAMES = sorted(path.name for path in PAGES.glob("*.md") if path.name != "README.md")


@pytest.mark.parametrize("name", PAGE_NAMES)
def test_a_page_is_complete(name):
    assert wrong_page((PAGES / name).read_text()) == []


def test_the_index_names_files_that_are_there():
    assert wrong_files((PAGES / "README.md").read_text()) == []


@pytest.mark.parametrize("old, new", [
    ("Not run: ", "Tested: "),
    ("Not run: ", "Run: yes, on everything.\n\nNot run: "),
    ("contrib/kvmtool/run.sh", "contrib/kvmtool/start.sh"),
    ("hypertick.bzImage", "hypertick.vmlinuz"),
    ("| exit |", "| end |"),
    ("## Known quirks", "## Quirks"),
])  # fmt: skip
def test_an_incomplete_page_is_found(old, new):
    text = (PAGES / "kvmtool.md").read_text()
    assert old in text
    assert wrong_page(text.replace(old, new)) != []


def wrong_index(index, pages):
    """`pages` is the text of each page by its name. Only what has been run may say so."""
    rows = {row[1]: row[0] for row in re.findall(r"(?m)^(\| \[[^\]]*\]\(([\w-]+\.md)\).*)$", index)}
    problems = [f"{name} is in one of index and folder only" for name in set(rows) ^ set(pages)]
    for name in set(rows) & set(pages):
        tested = rows[name].split("|")[-2]
        if bool(re.search(r"\byes\b", tested)) != bool(re.search(r"(?m)^Run: yes", pages[name])):
            problems.append(f"the index and {name} differ on whether it has been run")
        if rows[name].count("|") != 7:
            problems.append(f"{name}: not six columns")
    return problems


def test_the_index_has_every_page():
    pages = {name: (PAGES / name).read_text() for name in PAGE_NAMES}
    index = (PAGES / "README.md").read_text()
    assert wrong_index(index, pages) == []
    assert wrong_index(index, pages | {"palladium.md": "Not run: "}) != []
    assert wrong_index(index.replace("(azure.md)", "(azur.md)"), pages) != []
    assert wrong_index(index, pages | {"azure.md": "Run: yes, on a whim"}) != []
    assert wrong_index(index.replace("| no |", "|"), pages) != []


def test_every_definition_file_has_a_page():
    text = "".join((PAGES / name).read_text() for name in PAGE_NAMES)
    assert [name for name in NAMES if f"contrib/{name}" not in text.replace("\\", "/")] == []


# --- The scripts run to their end where every program that they call is a stand-in that notes its words

STAND_IN = """\
#!/bin/sh
echo "${0##*/} $*" >>"$LOG"
case "$*" in
showvminfo*) echo 'VMState="poweroff"' ;;
*"--query ImportTaskId"*) echo import-1 ;;
*"--query ImageId"*) echo ami-1 ;;
*SnapshotId*) echo snap-1 ;;
*InstanceId*) echo i-1 ;;
esac
case ${0##*/} in bhyve) exit 1 ;; esac # powered off
"""
STAND_INS = ("cloud-hypervisor", "crosvm", "lkvm", "kldload", "bhyve", "bhyvectl", "VBoxManage", "qm", "aws",
             "gcloud", "az", "sleep")  # fmt: skip


def run_script(directory, script, words):
    """What the stand-ins were called with, a line a call, and the script's exit status."""
    (directory / "bin").mkdir()
    for name in STAND_INS:
        (directory / "bin" / name).write_text(STAND_IN)
        (directory / "bin" / name).chmod(0o755)
    (directory / "image").write_bytes(b"an image")
    log = directory / "log"
    log.write_text("")
    path = f"{directory / 'bin'}:/usr/bin:/bin"
    done = subprocess.run(
        [str(CONTRIB / script), *words], cwd=directory, capture_output=True, text=True, check=False,
        timeout=60, env={"PATH": path, "LOG": str(log), "IMAGE": str(directory / "image")},
    )  # fmt: skip
    return done.returncode, log.read_text()


@pytest.mark.parametrize("script, words, calls", [
    ("cloud-hypervisor/run.sh", [], ["--cmdline com1=text+json window=1000ms", "--serial tty"]),
    ("cloud-hypervisor/run.sh", ["window=9s"], ["--cmdline com1=text+json window=9s"]),
    ("crosvm/run.sh", ["window=9s"], ["--params window=9s", "hardware=serial,num=2", "/image"]),
    ("kvmtool/run.sh", ["window=9s"], ["--nodefaults", "--params com1=text+json window=9s"]),
    ("bhyve/run.sh", ["x.iso", "window=9s"],
     ["3,ahci-cd,x.iso", "options,string=window=9s", "bhyvectl --vm=hypertick --destroy"]),
    ("bhyve/run.sh", [], ["3,ahci-hd,build/hypertick.img"]),
    ("virtualbox/run.sh", ["minimal", "window=9s"],
     ["--paravirtprovider minimal", "hypertick:window=9s", "/image", "unregistervm hypertick --delete"]),
    ("proxmox/run.sh", ["9000"], ["qm create 9000", "local-lvm:vm-9000-disk-0", "qm start 9000"]),
    ("aws/run.sh", ["bucket"],
     ["S3Bucket=bucket", "{SnapshotId=snap-1}", "--image-id ami-1", "terminate-instances --instance-ids i-1"]),
    ("gcp/run.sh", ["bucket", "zone"], ["gs://bucket/hypertick-", "--port 2", "instances delete"]),
    ("azure/run.sh", ["group", "place", "account"],
     ["https://account.blob.core.windows.net/images/hypertick.vhd", "--attach-os-disk", "get-boot-log"]),
])  # fmt: skip
def test_a_script_does_its_calls(tmp_path, script, words, calls):
    status, log = run_script(tmp_path, script, words)
    assert status == 0
    assert [call for call in calls if call not in log] == []


@pytest.mark.parametrize("script", ["proxmox/run.sh", "aws/run.sh", "gcp/run.sh", "azure/run.sh"])
def test_a_script_without_its_words_does_nothing(tmp_path, script):
    status, log = run_script(tmp_path, script, [])
    assert status != 0
    assert log == ""
