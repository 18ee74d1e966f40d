"""The snapshot agent on a member: installed, and called."""

from __future__ import annotations

import json

from haplane.config.model import Host
from haplane.errors import HaplaneError
from haplane.remote.openssh import attempt, ended, failed, run
from haplane.scripts import script
from haplane.ssh import ARCHIVE_SECONDS
from haplane.streams import shortened


def install_agent(host: Host, *, root: str, directory: str, link: str, archive: bytes) -> None:
    """Unpack ``archive``, a .tar.gz, as ``directory`` below ``root`` and switch ``link`` to it."""
    text = script("install_agent", root=root, directory=directory, link=link)
    run(host, "sh", "-c", text, stdin=archive, deadline_seconds=ARCHIVE_SECONDS)


def call_agent(host: Host, program: str, command: str, *, deadline_seconds: float) -> object:
    """The JSON that a command of the agent prints. Raises HaplaneError with the agent's own reason when it fails."""
    done = attempt(host, program, command, deadline_seconds=deadline_seconds)
    if done.code != 0:
        raise _agent_error(host, command, done.stderr) or ended(host, program, done.code, done.stderr)
    try:
        found: object = json.loads(done.stdout)
    except (ValueError, RecursionError):
        raise failed(host, f"{program} {command}", "its output is not JSON") from None
    return found


def _agent_error(host: Host, command: str, stderr: bytes) -> HaplaneError | None:
    """The agent's error, which is one JSON line, as ours."""
    for line in reversed(stderr.decode(errors="replace").splitlines()):
        try:
            error = json.loads(line)
            what, why, next_step = (error.get(field) for field in ("error", "why", "next"))
        except (ValueError, AttributeError, RecursionError):
            continue
        texts = [shortened(text) if isinstance(text, str) else None for text in (why, next_step)]
        return HaplaneError(
            shortened(str(what)), where=f"{host.name}: snapshot agent, {command}", why=texts[0], next_step=texts[1]
        )
    return None
