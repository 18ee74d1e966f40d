"""Waiting for hosts: look again every second, up to a deadline that has a name and a reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from haplane.context.context import Context
from haplane.observation.observe import observe

EVERY_SECONDS = 1.0
"""Between two looks: a look costs a host about 0.2 s of CPU."""


@dataclass(frozen=True)
class Obstacle:
    """What is waited for: where, what is not there yet, and for how many ``seconds`` if not for as long as others."""

    subject: str
    message: str
    seconds: float | None = None

    @property
    def kind(self) -> tuple[str, str]:
        """The same for the same obstacle at another moment: a time that grows is no progress."""
        return self.subject, re.sub(r"\d+(\.\d+)? (s|min|h)\b", "", self.message)


def look_until_clear(
    context: Context,
    obstacle: Callable[[], Obstacle | None],
    seconds: float,
    *,
    look: Callable[[Context], None] = observe,
    at_most: float | None = None,
) -> Obstacle | None:
    """Look again until there is no obstacle any more, or until ``seconds`` have passed: then it is returned.

    With ``at_most`` the seconds begin anew, up to that many in all, whenever the obstacle is another than before:
    what moves is slow, not broken.

    The user is told what is waited for at every look, and that it is waited for no longer. The first obstacle is
    looked for in what is known already.
    """
    began = since = context.executor.monotonic()
    last: tuple[str, str] | None = None
    while found := obstacle():
        now = context.executor.monotonic()
        if at_most is not None and last not in (None, found.kind):
            since = now
        last = found.kind
        deadline = since + (found.seconds or seconds)
        if now >= (deadline if at_most is None else min(deadline, began + at_most)):
            context.progress(found.subject, f"{found.message}; not waiting any longer after {now - began:.0f} s")
            return found
        context.progress(found.subject, found.message)
        context.executor.sleep(EVERY_SECONDS)
        look(context)
    return None
