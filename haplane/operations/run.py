"""The command that runs one of our scripts or programs on a host."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from pyinfra.api.command import QuoteString, StringCommand

from haplane.host_programs import parts, program
from haplane.scripts import script

USED = {"node_api": ("probe", "serving", "kubernetes", "kubelet_sizes")}
"""The observer's files that a program uses."""


def shell(
    name: str, words: Iterable[str] | None = None, /, *, stdin: str | None = None, **variables: str
) -> StringCommand:
    """Run ``haplane/scripts/NAME.sh`` with these variables; ``words`` are its list, ``stdin`` its input."""
    text = QuoteString(script(name, words, **variables))
    if stdin is None:
        return StringCommand("sh", "-c", text)
    return StringCommand("sh", "-c", text, _stdin=stdin)


def python(name: str, *words: str) -> StringCommand:
    """Run ``operations/on_host/NAME.py`` with these arguments."""
    return StringCommand("python3", "-I", "-c", *(QuoteString(word) for word in (on_host(name), *words)))


@cache
def on_host(name: str) -> str:
    """The text of ``operations/on_host/NAME.py``, with what it uses."""
    return program(*parts("facts", *USED.get(name, ())), *parts("operations", name))
