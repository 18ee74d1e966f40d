"""Several looks at once: what each of them refuses is in one report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from haplane.context.context import Context
from haplane.context.phase import Look
from haplane.errors import BadInput, HaplaneError, Problems, Several, UnfitHosts


def at_once(title: str, what: str, *looks: Look) -> Look:
    """All of ``looks`` in turn, whatever an earlier one refuses.

    Raises what a single one raises as it is. Several become one error that begins with ``what``: Problems where all
    are about the user's input, else UnfitHosts.
    """

    def carry_out(context: Context) -> None:
        found: list[HaplaneError] = []
        for look in looks:
            try:
                look.carry_out(context)
            except HaplaneError as error:
                found.append(error)
        if len(found) == 1:
            raise found[0]
        if found:
            kind = Problems if all(isinstance(one, BadInput) for one in found) else UnfitHosts
            raise kind(what, _each(found))

    return Look(title, carry_out)


def _each(errors: Sequence[HaplaneError]) -> Iterator[HaplaneError]:
    for error in errors:
        if isinstance(error, Several):
            yield from error.problems
        else:
            yield error
