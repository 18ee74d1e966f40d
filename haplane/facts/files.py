"""Digest and mode of many files in one remote command."""

from __future__ import annotations

import json

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from haplane.host_programs import parts, program

LOOK = program(*parts("facts", "file_states"))


class FileStates(FactBase[dict[str, list[object]]]):
    """``{path: [sha256, mode]}``; absent files are left out. ``paths`` is a JSON list."""

    def command(self, paths: str) -> StringCommand:
        return StringCommand("python3", "-I", "-c", QuoteString(LOOK), QuoteString(paths))

    @staticmethod
    def default() -> dict[str, list[object]]:
        return {}

    def process(self, output: list[str]) -> dict[str, list[object]]:
        try:
            found = json.loads(output[-1])
        except (ValueError, RecursionError) as error:
            raise FactProcessError(f"not JSON: {error}") from None
        if not isinstance(found, dict):
            raise FactProcessError("not a mapping of paths")
        return found
