"""A login shell may be any, csh and fish too, and it may print before a command's own output."""

from __future__ import annotations

from collections.abc import Callable

MARK = b"haplane begins here\n"
"""Printed by the commands that we run on hosts, before their answer: login shells may print as well."""
GREETING_BYTES = 1 << 16
"""Of what is printed before the answer, MARK included: beside what an answer may have, not of it."""
PLAIN = frozenset(range(0x20, 0x7F)) - frozenset(b"'\\!")
"""Means itself between single quotes in every shell. A line break and ``!`` do not in csh, a backslash before another
or a quote does not in fish."""
OTHERS = {byte: f"\\0{byte:03o}" for byte in range(256) if byte not in PLAIN}
"""As ``printf %b`` writes them."""
WORD_BYTES = 200
"""In one word, of up to five characters each: csh takes 1024, or BUFSIZ."""


def for_any_shell(line: str) -> str:
    """A line that has a POSIX shell run ``line``, whichever shell is given it."""
    text = line.encode(errors="surrogateescape").decode("latin-1")  # a character a byte
    words = (text[begin : begin + WORD_BYTES].translate(OTHERS) for begin in range(0, len(text), WORD_BYTES))
    quoted = " ".join(f"'{word}'" for word in words)
    return f"""exec /bin/sh -c 'eval "$(printf %b "$@")"' sh {quoted}"""


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
