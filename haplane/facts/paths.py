"""Which of some paths exist."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase

from haplane.scripts import script


class ExistingPaths(FactBase[list[str]]):
    """Those of the given paths that exist, in any order."""

    def command(self, paths: Sequence[str]) -> StringCommand:
        return StringCommand("sh", "-c", QuoteString(script("existing_paths", paths)))

    @staticmethod
    def default() -> list[str]:
        return []

    def process(self, output: list[str]) -> list[str]:
        return [line for line in output if line.startswith("/")]
