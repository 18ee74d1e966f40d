"""A drill's reports as files: HTML and JSON beside it, an index, JUnit."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from xml.etree import ElementTree

from haplane.drills.reports.page import index, page
from haplane.drills.reports.report import Report
from haplane.errors import BadInput, HaplaneError


def refuse_unwritable(directory: Path | None, junit: Path | None) -> None:
    """Raises BadInput where reports, or JUnit's file, cannot be written: the outage would be for nothing."""
    places = [*([directory] if directory else []), *([junit.parent] if junit else [])]
    try:
        for place in places:
            with TemporaryFile(dir=next(each for each in (place, *place.absolute().parents) if each.exists())):
                pass
    except OSError as error:
        raise BadInput(
            "the report could not be written here",
            where=str(error.filename or places[0]),
            why=error.strerror,
            next_step="name another place with --report or --junit",
        ) from None


def write_reports(directory: Path, reports: Sequence[Report]) -> None:
    """One HTML and one JSON file each, and an index."""
    directory.mkdir(parents=True, exist_ok=True)
    named = list(zip(_names(reports), reports, strict=True))
    for name, report in named:
        (directory / f"{name}.json").write_text(json.dumps(report.document(), indent=1), encoding="utf-8")
        (directory / f"{name}.html").write_text(page(report), encoding="utf-8", errors="replace")
    (directory / "index.html").write_text(
        index([(f"{name}.html", one) for name, one in named]), encoding="utf-8", errors="replace"
    )


def main_page(directory: Path, reports: Sequence[Report]) -> Path:
    """What to open first."""
    return directory / (f"{_names(reports)[0]}.html" if len(reports) == 1 else "index.html")


def _names(reports: Sequence[Report]) -> list[str]:
    """``DRILL-N``: the Nth run of the drill."""
    runs: Counter[str] = Counter()
    names = []
    for report in reports:
        runs[report.drill] += 1
        names.append(f"{report.drill}-{runs[report.drill]}")
    return names


def write_junit(
    path: Path, reports: Sequence[Report], skipped: Mapping[str, str], broken: HaplaneError | None = None
) -> None:
    """A test case for each run; ``skipped`` are reasons by drill, ``broken`` is what ended them all."""
    suite = ElementTree.Element("testsuite", name="haplane drill")
    for report in reports:
        seconds = report.fault_seconds + report.healthy_again_seconds
        case = ElementTree.SubElement(suite, "testcase", name=report.drill, classname="drill", time=f"{seconds:.2f}")
        if not report.passed:
            ElementTree.SubElement(case, "failure", message=_plain("; ".join(report.missed)))
    for drill, reason in skipped.items():
        case = ElementTree.SubElement(suite, "testcase", name=drill, classname="drill")
        ElementTree.SubElement(case, "skipped", message=_plain(reason))
    if broken is not None:
        case = ElementTree.SubElement(suite, "testcase", name="not completed", classname="drill")
        words = "; ".join(filter(None, (broken.what, broken.why)))
        ElementTree.SubElement(case, "error", message=_plain(words))
    suite.set("tests", str(len(suite)))
    ElementTree.indent(suite)
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def _plain(text: str) -> str:
    """What XML can hold of a host's words: a control character would make the file unreadable."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
