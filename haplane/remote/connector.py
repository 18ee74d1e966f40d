"""pyinfra over OpenSSH: commands are sessions on the host's one connection (:mod:`haplane.remote.connection`).

Registered as pyinfra's connector ``haplane`` in pyproject.toml.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import ConnectError, PyinfraError
from pyinfra.connectors.base import BaseConnector
from pyinfra.connectors.util import CommandOutput, OutputLine, make_unix_command_for_host

from haplane.config.model import Host
from haplane.remote.connection import GONE, connect, has_ended, is_gone
from haplane.remote.environment import shell_of
from haplane.remote.executions import executing
from haplane.remote.openssh import UNREACHABLE_CODE, remote_words
from haplane.remote.ssh_failures import NoConnection, own_words
from haplane.streams import ANSWER_BYTES, Completed, capture, last_line, too_long

HOST = "haplane_host"
"""The host of the inventory, among pyinfra's data of it."""
LINE_BYTES = 100
"""What a line costs besides its text, as a Python string in a list and a turn of pyinfra's loop."""
FOREVER = 24 * 3600.0
"""For a command without a deadline of its own."""


class ReusingConnector(BaseConnector):
    """``first_contact`` is the fingerprint of a host key that was in no known_hosts file before this connection."""

    handles_execution = True
    first_contact: str | None = None

    @staticmethod
    def make_names_data(name: str) -> Iterator[tuple[str, dict[str, Any], list[str]]]:
        yield name, {}, []

    @property
    def _ours(self) -> Host:
        found = self.host.data.get(HOST)
        if not isinstance(found, Host):
            raise PyinfraError(f"{self.host.name} is not one of haplane's hosts")
        return found

    def connect(self) -> None:
        try:
            with executing(self.host.name, "(connect)") as execution:
                self.first_contact = connect(self._ours).first_contact
                execution.code = 0
        except NoConnection as error:
            raise ConnectError(str(error)) from None

    def disconnect(self) -> None:
        """Later phases use the connection again; the end of the process closes it."""

    def run_shell_command(self, command: StringCommand, *_: Any, **arguments: Any) -> tuple[bool, CommandOutput]:
        """Raises TimeoutError at the command's deadline, OSError where the connection has ended."""
        seconds = arguments.pop("_timeout", None) or FOREVER
        stdin, good = arguments.pop("_stdin", None), arguments.pop("_success_exit_codes", None) or [0]
        for unused in ("_get_pty", "print_output", "print_input"):
            arguments.pop(unused, None)
        arguments["_shell_executable"] = shlex.join(shell_of(self._ours))  # what it takes is known since it connected
        words = make_unix_command_for_host(self.state, self.host, command, **arguments).get_raw_value()
        with executing(self.host.name, str(command)) as execution:
            if is_gone(self._ours):
                raise OSError(GONE)
            done = capture(remote_words(self._ours, words), _bytes_of(stdin), deadline_seconds=seconds, marked=True)
            if done.code == UNREACHABLE_CODE and has_ended(self._ours):
                raise OSError(GONE if is_gone(self._ours) else last_line(done.stderr) or "the connection has ended")
            output = CommandOutput(list(_lines_of(done)))
            execution.code, execution.output = done.code, output.output
        return done.code in good and done.cut is None, output

    def put_file(self, *_: Any, **__: Any) -> bool:
        raise PyinfraError("files go to hosts with haplane.operations.files and haplane.remote.push")

    def get_file(self, *_: Any, **__: Any) -> bool:
        raise PyinfraError("files come from hosts with haplane.remote.openssh")


def _bytes_of(stdin: object) -> bytes:
    """As pyinfra has it: lines, each of which ends in a newline."""
    if not stdin:
        return b""
    lines = stdin if isinstance(stdin, list | tuple) else [stdin]
    return b"".join(f"{line}".removesuffix("\n").encode() + b"\n" for line in lines)


def _lines_of(done: Completed) -> Iterator[OutputLine]:
    """Both streams in lines. Output of too many lines is cut, because each costs memory besides its text."""
    cut = done.cut
    if len(done.stdout) + LINE_BYTES * done.stdout.count(b"\n") > ANSWER_BYTES:
        cut, done = too_long(ANSWER_BYTES), Completed(done.code, b"", done.stderr, cut)
    yield from _named("stdout", done.stdout.decode("utf-8", "replace").removesuffix("\n").split("\n"), done.stdout)
    errors = own_words(done.stderr.decode("utf-8", "replace"))
    yield from _named("stderr", errors.split("\n"), errors.encode())
    if cut is not None:
        yield OutputLine("stderr", cut)


def _named(name: str, lines: Sequence[str], content: bytes) -> Iterator[OutputLine]:
    if content:
        yield from (OutputLine(name, line) for line in lines)
