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

NO_PYTHON = "python3 is not installed: apt-get install python3"


@cache
def _observer() -> str:
    return (Path(__file__).parent / "on_host" / "observe.py").read_text(encoding="utf-8")


class HostReportFact(FactBase[HostReport | None]):
    """The host's answer to one request (a JSON-able mapping): a :class:`haplane.domain.observed.HostReport`."""

    def command(self, request: dict[str, object]) -> StringCommand:
        guard = f"command -v python3 >/dev/null || {{ echo {NO_PYTHON} >&2; exit 127; }};"
        return StringCommand(guard, "python3", "-c", QuoteString(_observer()), QuoteString(json.dumps(request)))

    def process(self, output: list[str]) -> HostReport:
        try:
            return parse_report("the host", output[-1])
        except HaplaneError as error:
            raise FactProcessError(str(error)) from None
