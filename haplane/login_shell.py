"""Our answer apart from what a login shell prints before it."""

from __future__ import annotations

from collections.abc import Callable

MARK = b"haplane begins here\n"
"""Printed by the commands that we run on hosts, before their answer: login shells may print as well."""


class AfterMark:
    """Passes on what follows MARK in a stream."""

    def __init__(self, take: Callable[[bytes], object]) -> None:
        self._take = take
        self._held = b""
        self.begun = False

    def __call__(self, data: bytes) -> None:
        if self.begun:
            self._take(data)
            return
        greeting, mark, rest = (self._held + data).partition(MARK)
        self.begun = bool(mark)
        self._held = greeting[-len(MARK) :]
        if rest:
            self._take(rest)


def not_begun(code: int, take: object) -> str | None:
    """Why an answer that should have begun does not count; a command that failed to start has said why itself."""
    if code == 0 and isinstance(take, AfterMark) and not take.begun:
        return "the login shell did not run the command"
    return None
