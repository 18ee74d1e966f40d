"""Progress: what stays on a terminal, what is replaced, and what a pipe gets."""

import io
import re

import pytest

from haplane.cli import progress
from haplane.cli.output import PLAIN, Terminal
from haplane.cli.progress import LiveProgress, PlainProgress, terminal_is_live
from haplane.domain.progress import Activity

CONTROLS = re.compile(r"\x1b\[(\d*)([A-Za-z])|\r|\n|[^\x1b\r\n]")


class Clock:
    seconds = 0.0

    def __call__(self):
        return self.seconds


class Display:
    """A terminal, what it was sent, and what is to be seen on it."""

    def __init__(self, width=80, height=24):
        self.written = io.StringIO()
        self.console = Terminal(
            file=self.written, force_terminal=True, width=width, height=height, color_system=None, **PLAIN
        )
        self.clock = Clock()
        self.progress = LiveProgress(self.console, 0.0, self.clock)
        self.progress.expect(["m1", "m2", "m3"])

    def shown(self):
        """The lines on the screen once what is under way is drawn again."""
        if self.progress._live is not None:
            self.progress._live.refresh()
        lines, x, y = [""], 0, 0
        for found in CONTROLS.finditer(self.written.getvalue()):
            if found.group(2) == "A":
                y -= int(found.group(1) or 1)
            elif found.group(2) == "K":
                lines[y] = ""
            elif found.group(0) == "\r":
                x = 0
            elif found.group(0) == "\n" or x == self.console.width:
                x, y = 0, y + 1
                lines += [""] * (y + 1 - len(lines))
            if not found.group(2) and found.group(0) not in "\r\n":
                lines[y] = lines[y].ljust(x)[:x] + found.group(0)
                x += 1
        return [line.rstrip() for line in lines if line.strip()]


@pytest.fixture
def display():
    display = Display()
    yield display
    display.progress.pause()


def test_a_row_for_each_host_with_what_it_does_and_since_when(display):
    display.progress.report("up", "Start etcd", None)
    display.progress.report("m1, m2", Activity("Start the service"), None)
    display.clock.seconds = 12.0
    display.progress.report("m2", Activity(""), None)
    display.progress.report("m3", "pushing", 0.4)
    assert display.shown() == [
        "  12.0s  up: Start etcd",
        "   12 s  m1  Start the service",
        "         m2  -",
        "    0 s  m3  pushing  40%",
    ]


def test_a_step_that_has_ended_stays_with_its_seconds_and_takes_its_rows_along(display):
    display.progress.report("up", "Start etcd", None)
    display.progress.report("m1", Activity("Start the service"), None)
    display.clock.seconds = 3.0
    display.progress.report("up", "Start kubelets", None)
    assert display.shown() == ["   0.0s  up: Start etcd (3.0 s)", "   3.0s  up: Start kubelets"]
    display.progress.pause()
    assert display.shown() == ["   0.0s  up: Start etcd (3.0 s)", "   3.0s  up: Start kubelets (0.0 s)"]


def test_what_is_reported_of_a_host_stays(display):
    display.progress.report("m2", "first contact, its host key is SHA256:x", None)
    display.progress.report("m2", Activity("Install files"), None)
    display.progress.pause()
    assert display.shown() == ["   0.0s  m2: first contact, its host key is SHA256:x"]


def test_others_print_below_what_was_there(display):
    display.progress.report("up", "Start etcd", None)
    display.progress.report("m1", Activity("Start the service"), None)
    display.progress.pause()
    display.written.write("Go ahead? [y/N]: ")
    display.written.write("\n")
    display.progress.report("lock", "taking it", None)
    assert display.shown() == ["   0.0s  up: Start etcd (0.0 s)", "Go ahead? [y/N]:", "   0.0s  lock: taking it"]


@pytest.mark.parametrize("width", [1, 9, 20, 40])
def test_a_narrow_terminal_gets_shorter_rows(width):
    display = Display(width=width, height=5)
    display.progress.report("up", "Start etcd", None)
    display.progress.report("m1, m2, m3", Activity("a description " * 20), None)
    screen = display.progress._screen()
    assert all(len(line.plain) <= max(width - 1, 1) for line in screen.renderables)
    assert len(screen.renderables) <= 5
    display.progress.pause()
    assert "".join(display.shown()).replace(" ", "") == "0.0sup:Startetcd(0.0s)"


def test_hosts_cannot_steer_the_terminal(display):
    display.progress.report("m1", Activity("\x1b[2J\r[bold]x[/] \n m2  done"), None)
    display.progress.print("m1: \x1b]0;title\x07")
    display.progress.pause()
    assert "\x1b[2J" not in display.written.getvalue()
    assert "\x1b]0" not in display.written.getvalue()
    assert "[bold]x[/]" in display.written.getvalue()


def test_the_cursor_is_never_hidden(display):
    display.progress.report("up", "Start etcd", None)
    display.progress.pause()
    assert "\x1b[?25l" not in display.written.getvalue()


@pytest.mark.parametrize(
    ("environment", "live"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "CI": ""}, True),
        ({"TERM": "xterm", "CI": "true"}, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({}, False),
    ],
)
def test_where_lines_are_replaced(monkeypatch, environment, live):
    assert not terminal_is_live({"TERM": "xterm"}), "stderr is no terminal in a test"
    monkeypatch.setattr(progress.sys, "stderr", type("Tty", (), {"isatty": staticmethod(lambda: True)}))
    assert terminal_is_live(environment) is live


def test_plain_lines_are_as_they_were_and_hosts_that_wait_are_no_news(capsys):
    plain = PlainProgress(progress.time.monotonic())
    plain.report("m1, m2", Activity("Start the service"), None)
    plain.report("m1", Activity(""), None)
    plain.report("m1", "pushing", 0.5)
    plain.report("m1", "pushing", 0.6)
    assert [line.split("s  ", 1)[1] for line in capsys.readouterr().err.splitlines()] == [
        "m1, m2: Start the service",
        "m1: pushing  50%",
    ]
