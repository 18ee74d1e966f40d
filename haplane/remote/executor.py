"""The executor over SSH: pyinfra for operations and reports, OpenSSH for streams and secrets."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, closing, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from pyinfra.api.facts import FactBase

from haplane.agent.deadlines import Late, within
from haplane.bundle.manifest import BundleFile
from haplane.config.model import Host, Inventory
from haplane.domain import host_paths
from haplane.domain.answers import AtRest, Gathered
from haplane.domain.progress import Progress
from haplane.remote import agent, database, openssh, packages, secrets, session
from haplane.remote.lock import Lock, locked
from haplane.remote.member_snapshots import MemberSnapshots
from haplane.remote.push import Push
from haplane.remote.seal import seal
from haplane.ssh import COMMAND_SECONDS
from haplane.streams import Completed

ENDPOINT_SECONDS = 3
"""An endpoint that is ready answers at once; status does not wait longer for one that is not."""


class SshExecutor:
    """Reaches hosts as the inventory has it. ``report`` is the fact that observes one, ``reach`` connects them."""

    def __init__(self, report: type[FactBase[Any]], reach: type[FactBase[Any]], progress: Progress) -> None:
        self.progress = progress
        self._report, self._reach = report, reach

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def lock(self, inventory: Inventory, hosts: Sequence[Host], command: str) -> AbstractContextManager[Lock]:
        return locked(inventory, hosts, command, self.progress)

    def observe(self, hosts: Sequence[Host], request: Mapping[str, object]) -> Gathered:
        return session.gather(hosts, self._report, request=dict(request))

    def reach(self, hosts: Sequence[Host], request: Mapping[str, object]) -> Gathered:
        return session.gather(hosts, self._reach, request=dict(request))

    def deploy(self, hosts: Sequence[Host], recipe: Callable[..., object], **arguments: object) -> None:
        session.deploy(hosts, recipe, self.progress, **arguments)

    def push(
        self, host: Host, bundle: Path, files: Sequence[BundleFile], here: Mapping[str, str] | None = None
    ) -> Push:
        return Push(host, bundle, files, self.progress, here=here or {})

    def run(self, host: Host, *command: str, deadline_seconds: float = COMMAND_SECONDS) -> bytes:
        return openssh.run(host, *command, deadline_seconds=deadline_seconds)

    def attempt(self, host: Host, *command: str, deadline_seconds: float = COMMAND_SECONDS) -> Completed:
        return openssh.attempt(host, *command, deadline_seconds=deadline_seconds)

    def read_files(self, host: Host, paths: Collection[str]) -> dict[str, bytes]:
        return openssh.read_files(host, paths)

    def send_packages(self, host: Host, directory: str, suffix: str) -> None:
        packages.send_packages(host, directory, suffix)

    def seal(self, master: Host, digests: Mapping[str, str], recipients: Sequence[str]) -> bytes:
        return seal(master, digests, recipients)

    def install_agent(self, host: Host, directory: str, archive: bytes) -> None:
        root, link = host_paths.AGENT_ROOT, host_paths.AGENT
        agent.install_agent(host, root=root, directory=directory, link=link, archive=archive)

    def call_agent(self, host: Host, command: str, deadline_seconds: float) -> object:
        return agent.call_agent(host, host_paths.AGENT_RUN, command, deadline_seconds=deadline_seconds)

    def secrets_at_rest(self, member: Host, key: str) -> AtRest:
        return secrets.secrets_at_rest(member, key)

    def rewrite_secrets(self, master: Host) -> str | None:
        return secrets.rewrite_secrets(master)

    def send_database(self, hosts: Sequence[Host], path: Path, sha256: str, target: str) -> None:
        database.send_database(hosts, path, sha256, target)

    def fetch_output(self, host: Host, text: str, target: Path) -> None:
        database.fetch_output(host, text, target)

    def stored_snapshots(self, member: Host, directory: str) -> MemberSnapshots:
        return MemberSnapshots(member, directory)

    def endpoint_is_ready(self, inventory: Inventory) -> bool:
        """Without credentials, from here."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # only "is it ready" is asked; nothing that is answered is trusted
        endpoint = str(inventory.cluster.endpoint)
        # No proxy has a way to it, and a redirect is no answer: it would lead to wherever it likes, from here.
        with closing(http.client.HTTPSConnection(endpoint, timeout=ENDPOINT_SECONDS, context=context)) as direct:
            try:
                return within(ENDPOINT_SECONDS, partial(_says_it_is_ready, direct))
            except Late:
                if direct.sock is not None:
                    with suppress(OSError):
                        socket.socket.shutdown(direct.sock, socket.SHUT_RDWR)  # ends the thread that still reads
                return False
            except (OSError, ValueError, http.client.HTTPException):
                return False


def _says_it_is_ready(direct: http.client.HTTPSConnection) -> bool:
    direct.request("GET", "/readyz")
    return direct.getresponse().status == 200
