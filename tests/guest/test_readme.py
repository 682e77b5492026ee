"""The sample in the README is what the image prints: the same sections, under the same table heads."""

import re

from qemu import PASS, ROOT, boot


def outline(text):
    """The titles of the sections, without what a run says behind them, and the heads of the tables."""
    titles = re.findall(r"^(?:([A-Z][A-Za-z ]+)(?::.*)?|(  (?:clock|source)  .*))$", text, re.MULTILINE)
    return [title or head for title, head in titles if not title.startswith("Measuring")]


def test_the_sample_has_the_sections_of_a_report():
    document = (ROOT / "README.md").read_text()
    sample = document[document.index("## A report") : document.index("## How to read it")]
    sample = re.sub("^    ", "", sample, flags=re.MULTILINE)
    run = boot(options="window=20ms")
    assert run.status == PASS
    report = sample[sample.index("\nhypertick ") : sample.index("\nrecords: ")]
    assert outline(report) == outline(run.text), "run `make run`, and paste its report into README.md"
    assert len(outline(report)) >= 10
