"""A plan on the screen, and the user's agreement to it."""

from __future__ import annotations

from haplane.cli.output import Output
from haplane.cli.run import NOT_AGREED, agree_or_end, ask
from haplane.errors import BadInput
from haplane.workflows.engine import Confirm, Outcome

NOTHING = "Nothing to change: every reachable host matches the inventory."


def show_plan(output: Output, lines: tuple[str, ...], *, nothing: str = NOTHING) -> None:
    """One line per step, or that there is nothing to do."""
    output.line("Plan:" if lines else nothing)
    for line in lines:
        output.line(f"  {line}")


def show_what_is_left(output: Output, outcome: Outcome) -> None:
    """A line for each host that was skipped, and for each thing that was tried and does not work."""
    for name, why in outcome.skipped.items():
        output.warn(f"skipped: {name}: {why}")
    for warning in outcome.warnings:
        output.warn(f"warning: {warning}")


def agreement(
    output: Output, *, assume_yes: bool, question: str = "Go ahead?", declined: str = NOT_AGREED
) -> Confirm:
    """Shows a plan and asks, unless the answer was given with --yes. ``declined`` is printed after a no."""

    def confirm(lines: tuple[str, ...]) -> bool:
        show_plan(output, lines)
        return assume_yes or agree_or_end(output, question, declined=declined)

    return confirm


def agreement_by_name(output: Output, name: str, *, typed: str | None, assume_yes: bool) -> Confirm:
    """Shows a plan and asks for the cluster's name, unless ``typed`` holds it or the answer was given with --yes.

    Raises BadInput for another name than the cluster's: at once where it was given, else once it was typed.
    """
    if typed is not None:
        _refuse_another_name(typed, name)

    def confirm(lines: tuple[str, ...]) -> bool:
        show_plan(output, lines)
        if typed is None and not assume_yes:
            _refuse_another_name(ask(f"Type the cluster's name ({name}) to continue"), name)
        return True

    return confirm


def _refuse_another_name(typed: str, name: str) -> None:
    if typed != name:
        raise BadInput(
            f"{typed!r} is not the cluster's name; nothing was changed",
            next_step=f"type {name}, or add --confirm {name}",
        )
