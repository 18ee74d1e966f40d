"""One composite fact per host: everything haplane wants to know, in one remote command."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from haplane.domain.observed import HostReport, parse_report
from haplane.errors import HaplaneError

NO_PYTHON = "python3 is not installed"


@cache
def _observer() -> str:
    return (Path(__file__).parent / "on_host" / "observe.py").read_text(encoding="utf-8")


class HostReportFact(FactBase[HostReport | None]):
    """The host's answer to one request (a JSON-able mapping): a :class:`haplane.domain.observed.HostReport`."""

    def command(self, request: dict[str, object]) -> StringCommand:
        return StringCommand(
            "command -v python3 >/dev/null || {", f"echo {QuoteString(NO_PYTHON)!s} >&2; exit 127;", "};",
            "python3", "-c", QuoteString(_observer()), QuoteString(json.dumps(request)),
        )  # fmt: skip

    def process(self, output: list[str]) -> HostReport:
        try:
            return parse_report("the host", output[-1])
        except HaplaneError as error:
            raise FactProcessError(str(error)) from None
