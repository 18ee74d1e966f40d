"""The snapshot agent on a member: put there, and asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from haplane.config.model import Host
from haplane.errors import HaplaneError
from haplane.remote.openssh import attempt, ended, failed, run

Answer = TypeVar("Answer")

INSTALL = """
set -eu
umask 022
root=$1 directory=$2 link=$3
if [ ! -d "$directory" ]; then
    staging=$(mktemp -d "$root.XXXXXX")
    trap 'rm -rf "$staging"' EXIT
    tar -x -z -C "$staging" --no-same-owner
    python3 -m compileall -q "$staging"
    chmod 755 "$staging"
    sync -f "$staging"
    mkdir -p "$root"
    mv -T "$staging" "$directory"
fi
before=$(readlink "$link" || true)
rm -f "$link.new"
ln -s "${directory##*/}" "$link.new"
mv -f -T "$link.new" "$link"
for other in "$root"/agent-*; do
    [ "${other##*/}" = "${directory##*/}" ] || [ "${other##*/}" = "${before##*/}" ] || rm -rf "$other"
done
"""
"""A run that is under way goes on in the directory it started from, which stays until the next switch."""


def install_agent(host: Host, *, root: str, directory: str, link: str, archive: bytes) -> None:
    """Unpack ``archive``, a .tar.gz, as ``directory`` below ``root`` and switch ``link`` to it."""
    words = ("sh", "-c", INSTALL, "sh", root, directory, link)
    run(host, *words, stdin=archive, deadline_seconds=300)


def ask_agent(host: Host, program: str, command: str, *, deadline_seconds: float) -> object:
    """What the agent printed, parsed. Raises HaplaneError with its own reason when it did not succeed."""
    said = attempt(host, program, command, deadline_seconds=deadline_seconds)
    if said.code != 0:
        raise _told(host, command, said.stderr) or ended(host, program, said.code, said.stderr)
    try:
        found: object = json.loads(said.stdout)
    except (ValueError, RecursionError):
        raise failed(host, f"{program} {command}", "it printed no JSON") from None
    return found


def _told(host: Host, command: str, complaint: bytes) -> HaplaneError | None:
    """The agent's error, which is one JSON line, as ours."""
    for line in reversed(complaint.decode(errors="replace").splitlines()):
        try:
            error = json.loads(line)
            what, why, next_step = (error.get(field) for field in ("error", "why", "next"))
        except (ValueError, AttributeError, RecursionError):
            continue
        texts = [text if isinstance(text, str) else None for text in (why, next_step)]
        return HaplaneError(
            str(what), where=f"{host.name}: snapshot agent, {command}", why=texts[0], next_step=texts[1]
        )
    return None


def on_all(hosts: Sequence[Host], ask: Callable[[Host], Answer]) -> tuple[dict[str, Answer], dict[str, HaplaneError]]:
    """Ask all hosts at once: the answers by host, and the errors of those that gave none."""
    answers: dict[str, Answer] = {}
    errors: dict[str, HaplaneError] = {}
    with ThreadPoolExecutor(max(1, len(hosts))) as pool:
        for host, future in [(host, pool.submit(ask, host)) for host in hosts]:
            try:
                answers[host.name] = future.result()
            except HaplaneError as error:
                errors[host.name] = error
    return answers, errors
