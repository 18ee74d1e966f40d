"""What a host answered, validated: hosts' answers are untrusted input.

One composite question per host, asked through testinfra in one command, so that the whole suite costs one SSH
connection for each host. The questions are made in :mod:`haplane.checks.questions`.
"""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

ON_HOST = Path(__file__).parent / "on_host"


class CannotAnswer(Exception):
    """A host could not be reached, or what it said is not an answer; the text says which."""


class Answered(BaseModel):
    """Frozen; unknown keys are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Unit(Answered):
    """A systemd service, in systemd's words (``active``, ``enabled``), and the user it runs as."""

    active: str
    enabled: str
    user: str


class Stat(Answered):
    """A file or directory; ``mode`` holds the permission bits."""

    mode: int
    owner: str
    group: str
    directory: bool


class Server(Answered):
    """One server of haproxy's ``show stat``."""

    backend: str
    name: str
    status: str


class HttpAnswer(Answered):
    """One HTTPS request's outcome.

    ``served`` is the hex SHA-256 of the server's certificate, ``refused`` whether a TLS alert ended the connection.
    """

    status: int | None
    served: str | None
    refused: bool
    error: str | None

    def __str__(self) -> str:
        return f"HTTP {self.status}" if self.status is not None else self.error or "no answer"


class Metadata(Answered):
    """A Kubernetes object's name."""

    name: str
    uid: str = ""


class Taint(Answered):
    """A node's taint."""

    key: str
    effect: str


class Condition(Answered):
    """A node's condition."""

    type: str
    status: str


class NodeAddress(Answered):
    """One of a node's addresses."""

    type: str
    address: str


class NodeInfo(Answered):
    """What the kubelet says of itself."""

    kubelet_version: str = Field(alias="kubeletVersion", default="")


class NodeSpec(Answered):
    """The part of a node's spec that is looked at."""

    taints: tuple[Taint, ...] = ()


class NodeStatus(Answered):
    """The part of a node's status that is looked at."""

    conditions: tuple[Condition, ...] = ()
    addresses: tuple[NodeAddress, ...] = ()
    info: NodeInfo = Field(alias="nodeInfo", default=NodeInfo())


class Node(Answered):
    """A Node object as the API has it."""

    metadata: Metadata
    spec: NodeSpec
    status: NodeStatus

    @property
    def ready(self) -> bool:
        """Whether its kubelet reports in and is content."""
        return any(condition.type == "Ready" and condition.status == "True" for condition in self.status.conditions)

    @property
    def internal_addresses(self) -> tuple[str, ...]:
        """The addresses other nodes reach it at."""
        return tuple(found.address for found in self.status.addresses if found.type == "InternalIP")


class NodeList(Answered):
    """``kubectl get nodes -o json``."""

    items: tuple[Node, ...]


class ApiVersion(Answered):
    """The API server's /version."""

    git_version: str = Field(alias="gitVersion")


class Member(Answered):
    """An etcd member as the member list has it."""

    name: str = ""
    peer_urls: tuple[str, ...] = Field(alias="peerURLs", default=())
    is_learner: bool = Field(alias="isLearner", default=False)


class MemberList(Answered):
    """``etcdctl member list -w json``."""

    members: tuple[Member, ...]


class Documents(Answered):
    """What kubectl and etcdctl wrote; None where they failed or were not asked."""

    nodes: NodeList | None = None
    version: ApiVersion | None = None
    members: MemberList | None = None


class Survey(Answered):
    """One host's whole answer. ``certificates`` are PEM, ``hashes`` hex SHA-256 (None: unreadable), by path.

    ``processes`` are command lines by program, ``listening`` is ADDRESS:PORT, ``kubelets`` are what those kubelets
    say of their running configuration, ``encryption_providers`` names the kinds, the writing one first.
    """

    units: dict[str, Unit]
    stats: dict[str, Stat]
    certificates: dict[str, str]
    settings: dict[str, str | None]
    kubelet_client_certificate: str | None
    addresses: tuple[str, ...]
    haproxy_servers: tuple[Server, ...] | None
    hashes: dict[str, str | None]
    versions: dict[str, str | None]
    documents: Documents
    requests: dict[str, HttpAnswer]
    processes: dict[str, tuple[str, ...]] = {}
    listening: tuple[str, ...] = ()
    kubelets: dict[str, dict[str, object] | None] = {}
    encryption_providers: tuple[str, ...] | None = None


class Result(Protocol):
    """testinfra's CommandResult."""

    rc: int
    stdout: str
    stderr: str


class Connection(Protocol):
    """testinfra's Host, the one method that is used."""

    def run(self, command: str, *arguments: str) -> Any:  # noqa: ANN401 - testinfra is not typed
        """Run a command; ``%s`` in it are filled with quoted ``arguments``."""


def take_survey(connection: Connection, request: dict[str, object]) -> Survey:
    """Ask one host everything. Raises CannotAnswer."""
    return parse_survey(run_on_host(connection, "survey.py", request))


def parse_survey(text: str) -> Survey:
    """A host's JSON answer. Raises CannotAnswer naming the first field that is not of the agreed shape."""
    try:
        return Survey.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "the whole"
        raise CannotAnswer(f"its answer cannot be read: {field}: {first['msg']}") from None


def run_on_host(connection: Connection, script: str, request: dict[str, object]) -> str:
    """Run one of the scripts in ``on_host`` with a JSON request; what it printed. Raises CannotAnswer."""
    packed = base64.b64encode(zlib.compress((ON_HOST / script).read_bytes(), 9)).decode()
    starter = f"import base64,zlib;exec(zlib.decompress(base64.b64decode('{packed}')))"
    asked = base64.b64encode(json.dumps(request).encode()).decode()
    try:
        done: Result = connection.run("python3 -c %s %s", starter, asked)
    except RuntimeError as error:  # testinfra's only word for ssh's own failure, its result as the one argument
        raise CannotAnswer(_last_line(getattr(error.args[0], "stderr", "")) or "ssh failed") from None
    if done.rc != 0:
        raise CannotAnswer(f"the check's script ended with {done.rc}: {_last_line(done.stderr)}")
    return done.stdout


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
