"""What every verb's command shares: options, inventory, and how an error becomes a message and an exit code."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import click

from haplane.cli.output import Output
from haplane.cli.signals import ended_at_once
from haplane.config.load import load_inventory
from haplane.config.model import Inventory
from haplane.errors import BadInput, ExitCode, HaplaneError

NOT_AGREED = "Not agreed: nothing was changed."
RERUN = "re-run the same command; completed steps are not repeated"
SENTENCE = 200
"""Characters of the longest first sentence of a command's help."""
inventory_argument = click.argument("inventory", type=click.Path(dir_okay=False))
hosts_argument = click.argument("hosts", nargs=-1, metavar="[HOST]...")
required_hosts_argument = click.argument("hosts", nargs=-1, required=True, metavar="HOST...")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
yes_option = click.option("--yes", "-y", "assume_yes", is_flag=True, help="Do not ask before acting.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Show the plan and change nothing.")
without_option = click.option(
    "--without", multiple=True, metavar="HOST", help="Treat HOST as if it were off; repeatable."
)
verbose_option = click.option("-v", "--verbose", count=True, help="Print each command on hosts; -vv: its output too.")
debug_option = click.option("--debug", is_flag=True, help="Print the traceback of an error.")


class Commands(click.Group):
    """A verb of several commands. Its help has the first sentence of each in full; click cuts it to one line."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, one.get_short_help_str(SENTENCE)) for name, one in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(sorted(rows))


def examples(*commands: str) -> str:
    """The end of a command's help."""
    return "\b\n" + "\n".join(["Example:" if len(commands) == 1 else "Examples:", *(f"  {one}" for one in commands)])


def load(output: Output, path: str) -> Inventory:
    """The inventory, valid; the run's log begins here. Raises BadInput with everything that is wrong."""
    inventory = load_inventory(path)
    output.begin(_verb(), inventory.cluster.name, [host.name for host in inventory.everyone])
    return inventory


def _verb() -> str:
    """As in the name of a log: ``up``, ``node-repair``."""
    context = click.get_current_context()
    return "-".join(context.command_path.split()[1:]) or str(context.info_name)


def refuse_to_ask(output: Output, *, assume_yes: bool) -> None:
    """With --json the plan is not shown, so nobody can agree to it. Raises BadInput without --yes."""
    if output.as_json and not assume_yes:
        raise BadInput("--json needs --yes: it asks no questions", next_step=_answer_beforehand())


def _answer_beforehand() -> str:
    """How to agree without being asked."""
    context = click.get_current_context(silent=True)
    shows_plan = context is not None and any(one.name == "dry_run" for one in context.command.params)
    return "check the plan with --dry-run, then add --yes" if shows_plan else "add --yes"


def agree(question: str) -> bool:
    """The answer to a yes-or-no question, printed on stderr. Raises click.Abort for Ctrl-C and the end of input."""
    with ended_at_once():
        return click.confirm(question, err=True)


def agree_or_end(output: Output, question: str, *, declined: str = NOT_AGREED) -> bool:
    """The same where the run ends with a no, as one that is incomplete."""
    if agree(question):
        return True
    output.declined = True
    output.warn(declined)
    return False


def ask(question: str) -> str:
    """The text typed in answer to a question. Raises as :func:`agree` does."""
    with ended_at_once():
        return str(click.prompt(question, err=True))


def reports_errors(function: Callable[..., ExitCode | None]) -> Callable[..., None]:
    """Call a command with its Output; an error becomes a message and an exit code."""

    @verbose_option
    @debug_option
    @functools.wraps(function)
    def wrapper(*args: Any, debug: bool, verbose: int, **kwargs: Any) -> None:
        output = Output(as_json=bool(kwargs.pop("as_json", False)), verbosity=verbose)
        code: ExitCode | None = None
        try:
            if "inventory" not in kwargs:
                output.begin(_verb(), None, ())
            code = function(output, *args, **kwargs) or ExitCode.DONE
            if output.declined and code is ExitCode.DONE:
                code = ExitCode.INCOMPLETE
        except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
            raise  # click's own; a closed pipe ends quietly
        except (Exception, KeyboardInterrupt) as cause:
            error = _presentable(cause)
            if path := kwargs.get("inventory"):
                error.name_inventory(str(path))
            code = error.exit_code
            output.error(error, cause)
            if debug:
                raise
        finally:
            output.end(code)
        sys.exit(int(code))

    return wrapper


def by_a_plan(function: Callable[..., ExitCode | None]) -> Callable[..., None]:
    """A command that shows a plan, asks, and carries it out: --dry-run, --yes, --json, and errors as messages."""
    command: Callable[..., None] = dry_run_option(yes_option(json_option(reports_errors(function))))
    return command


def _presentable(cause: BaseException) -> HaplaneError:
    """What a user is shown of an exception: no traceback."""
    if isinstance(cause, HaplaneError):
        return cause
    if isinstance(cause, click.Abort) and isinstance(cause.__context__, EOFError):
        return BadInput("nobody answered; nothing was changed", next_step=_answer_beforehand())
    if isinstance(cause, KeyboardInterrupt | click.Abort):  # Abort: Ctrl-C at a question
        return HaplaneError("interrupted", next_step=RERUN)
    return HaplaneError(
        f"unexpected {type(cause).__name__}: {cause}",
        next_step="re-run with --debug for the traceback, and please report it",
    )
