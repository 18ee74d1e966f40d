"""How a run reaches hosts, and its clock: over SSH, or a fake cluster in tests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from haplane.bundle.manifest import BundleFile
from haplane.config.model import Host, Inventory
from haplane.domain.answers import AtRest, Gathered
from haplane.domain.progress import Progress
from haplane.snapshots.places import Place
from haplane.ssh import COMMAND_SECONDS
from haplane.streams import Completed


class Pushing(Protocol):
    """Files on their way to one host."""

    @property
    def host(self) -> Host:
        """Where they go."""

    def wait(self) -> None:
        """Until all have arrived. Raises HaplaneError when the host could not take them."""


class HeldLock(Protocol):
    """The cluster's lock. Commands on hosts of ``inventory`` end with it."""

    @property
    def inventory(self) -> Inventory:
        """The inventory, each host through the run's shell."""

    def check(self) -> None:
        """Raises LockLost when it is no longer held everywhere."""

    def away(self, host: Host) -> AbstractContextManager[None]:
        """Within it the host goes and comes back, as by a reboot; afterwards its lock is held again."""

    def breaking_off(self) -> AbstractContextManager[None]:
        """Within it, the loss of one host ends what the others are doing."""


class Observer(Protocol):
    """What looks do: they read hosts, and wait. All methods raise HaplaneError with the host's words."""

    progress: Progress

    def now(self) -> datetime:
        """The controller's clock, in UTC."""

    def monotonic(self) -> float:
        """Seconds that only grow."""

    def sleep(self, seconds: float) -> None:
        """Wait; a signal ends it at once."""

    def observe(self, hosts: Sequence[Host], request: Mapping[str, object]) -> Gathered:
        """Each host's report, or why there is none."""

    def reach(self, hosts: Sequence[Host], request: Mapping[str, object]) -> Gathered:
        """What each host reached of the others' ports, or why it gave no answer."""

    def run(self, host: Host, *command: str, deadline_seconds: float = COMMAND_SECONDS) -> bytes:
        """The standard output of a command."""

    def read_files(self, host: Host, paths: Collection[str]) -> dict[str, bytes]:
        """Content by path, into memory; absent files are left out."""

    def fetch_output(self, host: Host, text: str, target: Path) -> None:
        """What this shell script writes on the host, to ``target``, a new file that is ours alone."""

    def stored_snapshots(self, member: Host, directory: str) -> Place:
        """The snapshots that the member keeps in that directory."""

    def endpoint_is_ready(self, inventory: Inventory) -> bool:
        """Whether the endpoint's /readyz answers 200 to this machine."""


class Executor(Observer, Protocol):
    """Everything that a verb does to hosts."""

    def lock(self, inventory: Inventory, hosts: Sequence[Host], command: str) -> AbstractContextManager[HeldLock]:
        """Hold the cluster's lock on these hosts. Raises Locked when another run has it."""

    def deploy(self, hosts: Sequence[Host], recipe: Callable[..., object], **arguments: object) -> None:
        """Run one recipe on all of these hosts at once; on none, nothing happens."""

    def push(
        self, host: Host, bundle: Path, files: Sequence[BundleFile], here: Mapping[str, str] | None = None
    ) -> Pushing:
        """Start to send files of the bundle; ``here`` are archives on the host and the image that each brings."""

    def attempt(self, host: Host, *command: str, deadline_seconds: float = COMMAND_SECONDS) -> Completed:
        """Like `run`, whatever its exit code."""

    def send_packages(self, host: Host, directory: str, suffix: str) -> None:
        """The packages of a directory of this machine, by what their names end in."""

    def seal(self, master: Host, digests: Mapping[str, str], recipients: Sequence[str]) -> bytes:
        """The master's files of these digests, encrypted to the recipients there."""

    def install_agent(self, host: Host, directory: str, archive: bytes) -> None:
        """The snapshot agent, as ``directory``."""

    def call_agent(self, host: Host, command: str, deadline_seconds: float) -> object:
        """What the host's snapshot agent answered."""

    def secrets_at_rest(self, member: Host, key: str) -> AtRest:
        """What the member has stored under the encryption key of that name."""

    def rewrite_secrets(self, master: Host) -> str | None:
        """Write every Secret again; what went wrong last, if anything did."""

    def send_database(self, hosts: Sequence[Host], path: Path, sha256: str, target: str) -> None:
        """An etcd database to ``target`` on all of these hosts at once."""
