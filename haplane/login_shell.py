"""Separates a command's output from what a login shell prints before it."""

from __future__ import annotations

from collections.abc import Callable

MARK = b"haplane begins here\n"
"""Printed by the commands that we run on hosts, before their answer: login shells may print as well."""
GREETING_BYTES = 1 << 16
"""Of what is printed before the answer, MARK included: beside what an answer may have, not of it."""


class AfterMark:
    """Passes on what follows MARK in a stream. ``passed`` are its bytes."""

    def __init__(self, take: Callable[[bytes], object]) -> None:
        self._take = take
        self._held = b""
        self.begun = False
        self.passed = 0

    def __call__(self, data: bytes) -> None:
        if self.begun:
            self._pass(data)
            return
        greeting, mark, rest = (self._held + data).partition(MARK)
        self.begun = bool(mark)
        self._held = greeting[-len(MARK) :]
        if rest:
            self._pass(rest)

    def _pass(self, data: bytes) -> None:
        self.passed += len(data)
        self._take(data)


def not_begun(code: int, take: AfterMark) -> str | None:
    """Why an answer that should have begun does not count; a command that failed to start has said why itself."""
    if code == 0 and not take.begun:
        return "the login shell did not run the command"
    return None
