"""Commands to a running QEMU, by its monitor protocol (QMP): one JSON document a line."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import IO, Any

from haplane.errors import HaplaneError

SOCKET = "monitor"
ANSWER_SECONDS = 10.0


def command(directory: Path, name: str, /, **arguments: object) -> None:
    """Carry a command out on the machine whose monitor is in ``directory``. Raises HaplaneError."""
    where = directory / SOCKET
    # A socket's path has 107 characters at most; by way of the open directory it is short.
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(f"/proc/self/fd/{opened}/{SOCKET}")
            with connection.makefile("rw", encoding="utf-8") as stream:
                _next(stream, "QMP")
                for document in ({"execute": "qmp_capabilities"}, {"execute": name, "arguments": arguments}):
                    stream.write(f"{json.dumps(document)}\n")
                    stream.flush()
                    _next(stream, "return")
    except (OSError, ValueError) as error:
        raise HaplaneError(f"QEMU did not carry out {name}", where=str(where), why=str(error)) from error
    finally:
        os.close(opened)


def _next(stream: IO[str], key: str) -> Any:
    """The next document that has the key; events in between are passed over. Raises ValueError for an error."""
    for line in stream:
        document = json.loads(line)
        if "error" in document:
            raise ValueError(document["error"].get("desc", "unknown error"))
        if key in document:
            return document[key]
    raise ValueError("the monitor closed the connection")
