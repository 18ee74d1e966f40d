"""Which of some paths exist."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase


class ExistingPaths(FactBase[list[str]]):
    """Those of the given paths that exist, in any order."""

    def command(self, paths: Sequence[str]) -> StringCommand:
        quoted = [QuoteString(path) for path in paths]
        return StringCommand("for path in", *quoted, ';do test ! -e "$path" || echo "$path"; done')

    @staticmethod
    def default() -> list[str]:
        return []

    def process(self, output: list[str]) -> list[str]:
        return [line for line in output if line.startswith("/")]
