"""Text that may hold words of hosts, made fit for a terminal."""

from __future__ import annotations

from haplane.streams import shortened

LONGEST_LINE = 4096
"""In characters; the rest of a longer line is left out."""


def printable(text: str) -> str:
    """The text without control characters, each line of it bounded: what hosts report must not steer a terminal."""
    plain = "".join(sign if sign.isprintable() or sign == "\n" else "\N{REPLACEMENT CHARACTER}" for sign in text)
    return "\n".join(shortened(line, LONGEST_LINE) for line in plain.split("\n"))


def one_line(text: str) -> str:
    """The same on one line: with a line break in it, a cell of a table could pass for a row."""
    return printable(text.replace("\n", " "))
