"""What every verb's command shares: its options, and how an error becomes a message and an exit code."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import click

from haplane.cli.output import Output
from haplane.cli.signals import ended_at_once
from haplane.errors import BadInput, ExitCode, HaplaneError

inventory_argument = click.argument("inventory", type=click.Path(dir_okay=False))
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
yes_option = click.option("--yes", "-y", "assume_yes", is_flag=True, help="Do not ask before acting.")
debug_option = click.option("--debug", is_flag=True, help="Show a traceback for an unexpected error.")


def refuse_to_ask(output: Output, *, assume_yes: bool) -> None:
    """With --json the plan is not shown, so there is nothing to agree to. Raises BadInput without --yes."""
    if output.as_json and not assume_yes:
        raise BadInput("--json asks no questions", next_step="look at it with --dry-run, then give --yes as well")


def agree(question: str) -> bool:
    """The answer to a yes-or-no question, on stderr. Raises click.Abort for ^C and the end of input."""
    with ended_at_once():
        return click.confirm(question, err=True)


def ask(question: str) -> str:
    """What is typed in, as :func:`agree`."""
    with ended_at_once():
        return str(click.prompt(question, err=True))


def reports_errors(function: Callable[..., ExitCode | None]) -> Callable[..., None]:
    """Wrap a command that takes ``output`` first: it is made here, and errors end in its words and exit code."""

    @debug_option
    @functools.wraps(function)
    def wrapper(*args: Any, debug: bool, **kwargs: Any) -> None:
        output = Output(as_json=bool(kwargs.pop("as_json", False)))
        try:
            code = function(output, *args, **kwargs) or ExitCode.DONE
        except HaplaneError as error:
            if debug:
                raise
            output.error(error)
            code = error.exit_code
        except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
            raise  # click's own; of a reader that has gone it makes a quiet end
        except (KeyboardInterrupt, click.Abort):  # click's word for ^C or the end of input at a question
            output.error(HaplaneError("interrupted", next_step="run the same command again to complete it"))
            code = ExitCode.FAILED
        except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback reaches a user
            if debug:
                raise
            output.error(
                HaplaneError(
                    f"unexpected {type(error).__name__}: {error}",
                    next_step="run again with --debug for the traceback, and please report it",
                )
            )
            code = ExitCode.FAILED
        sys.exit(int(code))

    return wrapper
