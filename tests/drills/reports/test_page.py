"""A report's page: complete, self-contained, and as a browser shows it."""

import json
import math
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from html import escape
from html.parser import HTMLParser
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
import samples

from haplane.cli.drill import exit_code
from haplane.drills import freeze
from haplane.drills.drill import Fault
from haplane.drills.limits import Figure
from haplane.drills.probing.lanes import State
from haplane.drills.probing.timeline import Request
from haplane.drills.reports.compare import compared, read_report
from haplane.drills.reports.page import page
from haplane.drills.reports.report import Watched, summarise
from haplane.drills.reports.report_files import main_page, refuse_unwritable, write_junit, write_reports
from haplane.errors import BadInput, DeadlinePassed, ExitCode, Refused
from haplane.workflows.drill import Skipped

HOSTILE = "</script><img src=//evil.example>"


def request(kind, number, *, failed=False):
    sent = 97.0 + number / 20
    return Request(kind, number, sent, sent, sent + (1.0 if failed else 0.02), not failed, None if failed else 200)


def report(*, lost=(), outage=range(62, 90), host="m1"):
    """A leader frozen at 100 s; clients are affected from 100.1 s."""
    requests = [request(kind, number, failed=number in outage) for kind in ("read", "write") for number in range(700)]
    states = [
        *(State("readyz", master, 96.0, True) for master in ("m1", "m2", "m3")),
        *(State("node", master, 96.0, True) for master in ("m1", "m2", "m3")),
        State("readyz", "m1", 104.0, False),
        State("readyz", "m1", 118.0, True),
        State("address", "lb1", 96.0, True),
        *(
            State("etcd", f"m{member}", 96.0, {"member": member, "leader": "1", "term": "2", "version": "3.6.16"})
            for member in "123"
        ),
        State("etcd", "m1", 100.8, None),
        State("etcd", "m2", 101.4, {"member": "2", "leader": "2", "term": "3", "version": "3.6.16"}),
    ]
    watched = Watched(requests, (), states, faulted=100.0, restored=116.0, healthy=121.0, ended=131.0)
    context = SimpleNamespace(inventory=samples.inventory(), machines=SimpleNamespace(driver="lab"))
    fault = Fault(host, "the etcd leader", f"It freezes etcd on {host} and resumes it.")
    return summarise(context, freeze.LEADER, fault, watched, lost=lost, began=datetime(2026, 7, 1, tzinfo=UTC))


class Read(HTMLParser):
    """Elements that load something, and whether all are closed."""

    def __init__(self, text):
        super().__init__()
        self.loads, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.loads += [value for name, value in attributes if name in {"src", "href", "srcset", "data"}]
        if tag not in {"meta"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open.pop() != tag:
            pass


def test_a_page_loads_nothing_and_says_all():
    text = page(report())
    assert Read(text).loads == []
    assert len(text.encode()) < 1 << 20
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", text)
    for words in ("All limits held", "m2 (term 3)", "endpoint address", "API server m1", "node m3", "haplane drill"):
        assert words in text


def test_what_happened_is_said_in_three_sentences_and_a_loss_is_not_hidden():
    assert "All 672 acknowledged writes could be read back afterwards" in page(report())
    lossy = page(report(lost=(7, 8)))
    assert "2 acknowledged writes were LOST" in lossy
    assert "NOT within its limits" in lossy


def test_a_machine_that_was_too_busy_to_measure_is_said_to_be():
    assert "too busy" not in page(report())
    busy = report()
    late = replace(busy, about=replace(busy.about, prober_late_seconds=7.0))
    assert "Not passed: too busy to measure: the prober sent requests up to 7.0 s late." in page(late)
    assert (late.passed, late.verdict) == (False, "too busy to measure")


def test_short_gaps_do_not_make_up_for_service_that_never_became_steady():
    """Round-robin DNS over a dead master: every third request fails, and no gap is long."""
    shaky = replace(report(), served=False)
    assert (shaky.passed, shaky.verdict) == (False, "NOT within its limits")
    assert "Not passed: never 5 s without a failed request while the fault was in place." in page(shaky)
    assert ("not passed", "never 5 s without a failed request while the fault was in place", "") in shaky.rows()


def test_a_page_has_every_reason_why_a_run_did_not_pass():
    """Reads that never came back were a reason in JUnit's file and the table, and none on the page."""
    broken = replace(report(), reads=replace(report().reads, recovered=False))
    assert "Not passed: reads did not recover." in page(broken)


def test_text_of_hosts_is_text():
    text = page(report(host=HOSTILE))
    assert "<img" not in text
    assert Read(text).loads == []


def test_both_files_hold_the_report_and_two_reports_are_compared(tmp_path):
    one, other = report(), report(outage=range(62, 64))
    write_reports(tmp_path, [one, other])
    assert main_page(tmp_path, [one, other]).name == "index.html"
    assert main_page(tmp_path, [one]).name == "freeze-etcd-leader-1.html"
    files = sorted(path.name for path in tmp_path.iterdir())
    names = [f"freeze-etcd-leader-{number}.{kind}" for number in (1, 2) for kind in ("html", "json")]
    assert files == [*names, "index.html"]
    assert set(Read((tmp_path / "index.html").read_text()).loads) == {names[0], names[2]}
    first, second = read_report(tmp_path / names[1]), read_report(tmp_path / names[2])
    assert json.loads((tmp_path / names[1]).read_text()) == json.loads(json.dumps(one.document()))
    rows = {row[0]: row[1:] for row in compared(first, second)}
    assert rows["longest gap in reads"] == ("1.42 s", "0.12 s", "-1.30")
    assert rows["failed requests"] == ("56", "4", "-52")


def test_what_never_happened_and_what_the_other_version_did_not_measure_are_compared_too(tmp_path):
    one = report()
    more = replace(one, figures=(*one.figures, Figure("seconds to NotReady", math.inf, 60)))
    write_reports(tmp_path, [one, more])
    text = (tmp_path / "freeze-etcd-leader-2.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail)["figures"][-1]["measured"] is None
    rows = compared(*(read_report(tmp_path / f"freeze-etcd-leader-{number}.html") for number in (1, 2)))
    assert rows[-1] == ("seconds to NotReady", "not measured", "never", "")


DAMAGED = [
    "", "{}", "[1]", '["drill", "host", "figures", "picture"]', "<html></html>", '{"drill": 1', "[" * 100_000,
    '{"drill": "x", "figures": [], "picture": {}}',
    '{"drill": "x", "host": "m1", "figures": [{"name": "y"}], "picture": {}}',
    '{"drill": "x", "host": "m1", "figures": {"y": 1}, "picture": {}}',
]  # fmt: skip


@pytest.mark.parametrize("text", DAMAGED)
def test_what_is_no_report_is_refused(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(BadInput, match="not the report of one drill"):
        read_report(tmp_path / "x.json")


def test_junit_has_a_case_for_each_run_and_each_drill_that_was_not_run(tmp_path):
    write_junit(tmp_path / "junit.xml", [report(), report(lost=(1,))], {"slow-network": "no netem"})
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot()
    outcomes = [[child.tag for child in case] for case in suite]
    assert outcomes == [[], ["failure"], ["skipped"]]
    assert suite[1][0].get("message") == "acknowledged writes lost: 1, limit 0"


def test_junit_is_not_green_where_a_drill_broke_off(tmp_path):
    """CI that reads the file alone saw the drills that had passed before, and nothing of the one that did not end."""
    late = DeadlinePassed("not within 300 s: the cluster is healthy again", why="w1 is not Ready")
    write_junit(tmp_path / "junit.xml", [report()], {}, late)
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert (suite.get("tests"), [[child.tag for child in case] for case in suite]) == ("2", [[], ["error"]])
    assert "w1 is not Ready" in suite[1][0].get("message")


def test_an_outage_whose_report_could_not_be_written_is_refused_first(tmp_path):
    (tmp_path / "file").write_text("")
    refuse_unwritable(tmp_path / "new" / "reports", tmp_path / "junit.xml")
    assert not (tmp_path / "new").exists(), "a drill that is refused leaves nothing"
    for places in ((tmp_path / "file" / "x", None), (None, tmp_path / "file" / "x" / "junit.xml")):
        with pytest.raises(BadInput, match="could not be written") as refused:
            refuse_unwritable(*places)
        assert str(tmp_path / "file") in refused.value.where
    assert not (tmp_path / "junit.xml").exists()


def test_exit_codes_of_a_series():
    passed, failed = report(), report(lost=(1,))
    held = replace(passed, figures=tuple(replace(one, limit=None) for one in passed.figures))
    skipped = Skipped("slow-network", Refused("no netem"))
    codes = [
        exit_code(found, all_that_can=everything)
        for found, everything in (
            ([held], False), ([held, failed], True), ([held, skipped], True), ([held, skipped], False),
            ([skipped, skipped], True), ([], False),
        )
    ]  # fmt: skip
    assert codes == [
        ExitCode.DONE,
        *[ExitCode.INCOMPLETE] * 1,
        ExitCode.DONE,
        *[ExitCode.INCOMPLETE] * 2,
        ExitCode.DONE,
    ]


def luminance(colour):
    digits = colour.lstrip("#")
    digits = "".join(digit * 2 for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_text_and_lanes_have_a_contrast_of_four_and_a_half_in_light_and_dark():
    light, dark = re.findall(r":root \{(.*?)\}", page(report()), re.S)
    for scheme in (light, dark):
        colours = dict(re.findall(r"--(\w+): (#\w+)", scheme))
        for name in {*colours} - {"paper", "line", "window", "on"}:
            assert contrast(colours[name], colours["paper"]) >= 4.5, name
            assert not name.startswith(("named", "fault")) or contrast(colours[name], colours["on"]) >= 4.5, name


CHROMIUM = shutil.which("chromium")


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_a_browser_shows_it_without_sideways_scroll_and_prints_two_pages(tmp_path):
    file = tmp_path / "report.html"
    file.write_text(page(report()))
    phone = tmp_path / "phone.html"
    script = "frame.onload = () => document.title = frame.contentDocument.documentElement.scrollWidth"
    frame = f'<iframe id="frame" width="390" height="844" srcdoc="{escape(page(report()))}"></iframe>'
    phone.write_text(f"<body>{frame}<script>{script}</script></body>")
    options = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
    shown = subprocess.run(
        [*options, "--virtual-time-budget=5000", "--dump-dom", phone.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    ).stdout  # fmt: skip
    assert int(re.search(r"<title>(\d+)</title>", shown)[1]) <= 390
    printed = tmp_path / "report.pdf"
    subprocess.run(
        [*options, f"--print-to-pdf={printed}", file.as_uri()], capture_output=True, timeout=120, check=True
    )
    assert len(re.findall(rb"/Type\s*/Page\b", printed.read_bytes())) <= 2


def test_words_with_control_characters_leave_every_file_readable(tmp_path):
    """ElementTree writes them as they are, and no XML parser takes them; a lone surrogate ended a run of an hour."""
    words = "\x1b[2J\x00 m1\ud800 lost"
    lost = replace(report(lost=(3,)), host=words, announcement=words, about=replace(report().about, etcd=words))
    write_reports(tmp_path, [lost])
    write_junit(tmp_path / "junit.xml", [lost], {"kill-master": words})
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert "m1" in suite.find(".//skipped").get("message")
    assert "m1" in (tmp_path / main_page(tmp_path, [lost]).name).read_text()
