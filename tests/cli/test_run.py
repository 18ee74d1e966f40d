"""What every command shares: exit codes, messages, and one JSON document."""

import errno
import json
from pathlib import Path
from unittest.mock import ANY

import click
import pytest
from click.testing import CliRunner, Result

from haplane.cli.output import Output
from haplane.cli.run import agree_or_end, inventory_argument, json_option, reports_errors
from haplane.errors import (
    BadInput,
    DeadlinePassed,
    ExitCode,
    HaplaneError,
    Locked,
    Problems,
    Refused,
    UnfitHosts,
    Unreachable,
)


def invoke(act, *arguments: str, **how) -> Result:
    """A command that does this, run as a user would."""

    @click.command()
    @json_option
    @reports_errors
    def command(output: Output) -> ExitCode | None:
        return act(output)

    return CliRunner().invoke(command, arguments, **how)


def raising(error: BaseException):
    def act(_: Output) -> None:
        raise error

    return act


def test_a_reader_that_has_gone_is_no_error_of_ours():
    result = invoke(raising(BrokenPipeError(errno.EPIPE, "Broken pipe")))
    assert (result.exit_code, result.stderr) == (1, "")


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (HaplaneError, 1),
        (BadInput, 2),
        (Unreachable, 3),
        (Refused, 4),
        (Locked, 5),
        (DeadlinePassed, 7),
    ],
)
def test_every_kind_of_error_has_its_exit_code_and_says_all_it_knows(kind, code):
    result = invoke(raising(kind("it is so", where="here", why="because", next_step="do this")))
    assert result.exit_code == code
    assert result.stdout == ""
    *said, log = result.stderr.splitlines()
    assert said == ["haplane: it is so", "  where: here", "  why: because", "  next: do this"]
    assert log.startswith("log: /")


def test_what_to_do_next_names_the_inventory_that_was_given():
    """Whoever finds the problem knows hosts, not files; each of several problems has its own."""
    found = [Refused("both", next_step="haplane up INVENTORY"), Refused("and", next_step="haplane status INVENTORY")]

    @click.command()
    @inventory_argument
    @reports_errors
    def command(_: Output, inventory: str) -> None:
        raise UnfitHosts(f"2 of {inventory}", found)

    said = CliRunner().invoke(command, ["inventories/prod.py"]).stderr
    assert "next: haplane up inventories/prod.py" in said
    assert "next: haplane status inventories/prod.py" in said


def test_several_problems_are_all_said():
    result = invoke(raising(Problems("2 problems", [BadInput("one", where="a"), BadInput("two", where="b")])))
    assert result.exit_code == 2
    assert all(word in result.stderr for word in ("2 problems", "one", "two", "where: a", "where: b"))


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyError("missing"), AssertionError()])
def test_no_traceback_reaches_a_user(error):
    result = invoke(raising(error))
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert f"unexpected {type(error).__name__}" in result.stderr
    assert "--debug" in result.stderr


def test_debug_shows_the_exception_itself():
    assert isinstance(invoke(raising(ValueError("a bug")), "--debug").exception, ValueError)


def test_an_interrupted_command_says_how_to_carry_on():
    result = invoke(raising(KeyboardInterrupt()))
    assert result.exit_code == 1
    assert "interrupted" in result.stderr
    assert "re-run the same command" in result.stderr


def test_the_end_of_input_at_a_question_is_no_interruption():
    result = invoke(lambda output: agree_or_end(output, "Go ahead?"), input="")
    assert result.exit_code == 2
    assert "haplane: nobody answered; nothing was changed\n  next: add --yes" in result.stderr


def test_a_no_is_not_done():
    result = invoke(lambda output: agree_or_end(output, "Go ahead?") and None, input="n\n")
    assert result.exit_code == 6
    assert "Not agreed: nothing was changed." in result.stderr


def test_clicks_own_errors_stay_its_own():
    result = invoke(raising(click.UsageError("not both")))
    assert result.exit_code == 2
    assert "not both" in result.stderr


def test_with_json_an_error_is_one_document_too():
    result = invoke(raising(Refused("unsafe", why="2 of 3")), "--json")
    fields = {"what": "unsafe", "where": None, "why": "2 of 3", "next": None, "problems": []}
    said = json.loads(result.stdout)
    assert Path(said.pop("log")).read_text().count("unsafe") == 2, "the message, and the end of the traceback"
    assert said == {"error": fields, "exit_code": 4}
    assert result.stderr.startswith("haplane: unsafe")


def test_with_json_each_of_several_problems_keeps_its_fields():
    problems = [HaplaneError("zstd is missing", where="m1", why="needed", next_step="install it"), Refused("unsafe")]
    result = invoke(raising(UnfitHosts("2 problems", problems)), "--json")
    assert json.loads(result.stdout) == {
        "error": {
            "what": "2 problems", "where": None, "why": None, "next": None,
            "problems": [
                {"what": "zstd is missing", "where": "m1", "why": "needed", "next": "install it"},
                {"what": "unsafe", "where": None, "why": None, "next": None},
            ],
        },
        "exit_code": 4,
        "log": ANY,
    }  # fmt: skip


def test_what_hosts_say_cannot_steer_a_terminal():
    hostile = "\x1b]0;title\x07\x1b[2J\r\ud800 no space left"
    for result in (
        invoke(raising(HaplaneError("it failed", why=hostile))),
        invoke(lambda output: output.line(hostile)),
    ):
        assert "\x1b" not in result.output
        assert "\r" not in result.output
        assert "no space left" in result.output


def test_with_json_stdout_is_the_document_and_nothing_else():
    def act(output: Output) -> ExitCode:
        output.progress("m1", "pushing", 0.5)
        output.line("for people")
        output.table(("A",), [(1,)])
        output.warn("a warning")
        output.document({"when": [1, None]})
        return ExitCode.INCOMPLETE

    result = invoke(act, "--json")
    assert result.exit_code == 6
    assert json.loads(result.stdout) == {"when": [1, None]}
    assert result.stderr == "a warning\n"


def test_for_people_progress_is_on_stderr_and_the_rest_on_stdout():
    def act(output: Output) -> None:
        output.progress("m1", "pushing", 0.5)
        output.progress("m1", "pushing", 0.6)  # only its fraction moved: not worth a line in a pipe
        output.progress("m1", "pushed")
        output.table(("HOST", "STATE"), [("m1", None), ("m2", True)])
        output.document({"for": "programs"})

    result = invoke(act)
    assert result.exit_code == 0
    assert [line.split("s  ", 1)[1] for line in result.stderr.splitlines()] == ["m1: pushing  50%", "m1: pushed"]
    assert [line.split() for line in result.stdout.splitlines()] == [["HOST", "STATE"], ["m1"], ["m2", "True"]]


def test_the_inventorys_name_replaces_its_placeholder_alone():
    step = "`haplane up INVENTORY`, or see /srv/INVENTORY.py and INVENTORY-old"
    error = HaplaneError("x", next_step=step)
    error.name_inventory("my INVENTORY.py")
    assert error.next_step == "`haplane up 'my INVENTORY.py'`, or see /srv/INVENTORY.py and INVENTORY-old"
