"""How testinfra reaches a host of the inventory: as every verb does, so that ssh_config and jump hosts count."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import testinfra.host
from testinfra.backend.base import BaseBackend, CommandResult

from haplane.checks.host_facts import Connection, NoAnswer
from haplane.config.model import Host
from haplane.errors import DeadlinePassed, HaplaneError
from haplane.remote import openssh
from haplane.streams import Completed

ANSWER_SECONDS = 90
"""Longer than the programs on hosts allow themselves."""


Attempt = Callable[..., Completed]
"""An executor's ``attempt``."""


class HaplaneBackend(BaseBackend):  # type: ignore[misc]  # testinfra is not typed
    """Commands over haplane's own connection, each with a deadline and a limit of bytes, as root."""

    NAME = "haplane"

    def __init__(self, host: Host, attempt: Attempt) -> None:
        super().__init__(host.name)
        self._host, self._attempt = host, attempt

    def run(self, command: str, *args: str, **_: object) -> CommandResult:
        """Raises NoAnswer when it is too late or too long, or the host cannot be reached."""
        quoted = self.quote(command, *args)
        try:
            answer = self._attempt(self._host, "sh", "-c", quoted, deadline_seconds=ANSWER_SECONDS)
        except DeadlinePassed:
            raise NoAnswer(f"no answer within {ANSWER_SECONDS} s") from None
        except HaplaneError as error:
            raise NoAnswer(error.why or error.what) from None
        return self.result(answer.code, self.encode(quoted), answer.stdout, answer.stderr)


def connect(host: Host, attempt: Attempt = openssh.attempt) -> Connection:
    """A testinfra host; nothing is sent before its first command."""
    return cast(Connection, testinfra.host.Host(HaplaneBackend(host, attempt)))
