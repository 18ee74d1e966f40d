"""Whether hosts reach each other's ports: tried on all of them at once."""

from __future__ import annotations

import json

from pydantic import TypeAdapter, ValidationError
from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from haplane.domain.reach import Reach, Target
from haplane.host_programs import packed, parts, program

Listened = tuple[str, int]
Failed = tuple[str, str, int, str]
_LISTENED, _FAILED = TypeAdapter(tuple[Listened, ...]), TypeAdapter(tuple[Failed, ...])
_WINDOW = TypeAdapter(tuple[float, float])


class ReachFact(FactBase[Reach | None]):
    """One host's answer to a request as ``on_host/reach.py`` has it."""

    def command(self, request: dict[str, object]) -> StringCommand:
        script = packed(program(*parts("facts", "reach")))
        return StringCommand("python3", "-I", "-c", QuoteString(script), QuoteString(json.dumps(request)))

    def process(self, output: list[str]) -> Reach:
        try:
            answer = json.loads(output[-1])
            failed: list[tuple[Target, str]] = [
                ((protocol, address, port), why[:200])
                for protocol, address, port, why in _FAILED.validate_python(answer["failed"])
            ]
            window = _WINDOW.validate_python(answer["window"])
            return Reach(_LISTENED.validate_python(answer["listened"]), tuple(failed), window)
        except (ValueError, LookupError, TypeError, RecursionError, ValidationError) as error:
            raise FactProcessError(f"its answer cannot be read: {error}") from None
