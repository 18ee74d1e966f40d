"""What a host reports to the checks, validated: hosts are untrusted input.

One composite request per host, sent through testinfra as one command, so that all suites cost one SSH connection for
each host. :mod:`haplane.checks.probes` makes the request.

Types that mean the same in an observation are those of :mod:`haplane.domain.observed`. A unit's state does not: the
observer has interpreted systemd's words, the checks compare them.
"""

from __future__ import annotations

import base64
import json
from typing import Any, Protocol

from pydantic import Field, ValidationError

from haplane.domain.balancer_report import Server
from haplane.domain.etcd_report import EtcdMember
from haplane.domain.observed import Node
from haplane.domain.reported import Count, Observed
from haplane.domain.validation import first_error
from haplane.host_programs import packed, parts, program
from haplane.streams import last_line

HOST_FACTS = (
    *parts("facts", "probe", "systemd", "network", "certificates", "haproxy", "static_pods", "pods"),
    *parts("facts", "serving", "kubernetes"),
    *parts("checks", "https", "processes", "host_facts"),
)
"""The program that collects a host's facts; each file after those that it uses."""


class NoAnswer(Exception):
    """A host could not be reached, or what it returned cannot be used; the text says which."""


class UnitState(Observed):
    """A systemd unit in systemd's words (``active``, ``enabled``)."""

    active: str
    enabled: str


class Stat(Observed):
    """A file or directory; ``mode`` holds the permission bits."""

    mode: Count
    owner: str
    group: str
    directory: bool


class HttpAnswer(Observed):
    """One HTTPS request's outcome.

    ``served`` is the hex SHA-256 of the server's certificate, ``refused`` whether a TLS alert ended the connection.
    """

    status: Count | None
    served: str | None
    refused: bool
    error: str | None

    def __str__(self) -> str:
        return f"HTTP {self.status}" if self.status is not None else self.error or "no answer"


class ApiVersion(Observed):
    """The API server's /version."""

    git_version: str = Field(alias="gitVersion")


class MemberList(Observed):
    """``etcdctl member list -w json``."""

    members: tuple[EtcdMember, ...]


class Documents(Observed):
    """What kubectl and etcdctl wrote; None where they failed or were not run."""

    nodes: tuple[Node, ...] | None = None
    version: ApiVersion | None = None
    members: MemberList | None = None


class HostFacts(Observed):
    """All of one host. ``certificates`` are PEM, ``hashes`` hex SHA-256 (None: unreadable), by path.

    ``processes`` are command lines by program, ``environment`` is etcd's, ``listening`` is ADDRESS:PORT,
    ``open_metrics`` those of them where kube-proxy serves metrics to others, ``kubelets`` are the running
    configurations of those kubelets, ``audit_policy`` is the file that the running API server was given, of
    ``encryption_providers``, which it was given too, the kinds are named, the writing one first.
    """

    units: dict[str, UnitState]
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
    environment: dict[str, str] = {}
    audit_policy: str | None = None
    listening: tuple[str, ...] = ()
    open_metrics: tuple[str, ...] = ()
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


def gather_facts(connection: Connection, request: dict[str, object]) -> HostFacts:
    """Run all probes on one host. Raises NoAnswer."""
    return parse_facts(run_on_host(connection, program(*HOST_FACTS), request))


def parse_facts(text: str) -> HostFacts:
    """A host's JSON answer. Raises NoAnswer naming the first field that is not of the agreed shape."""
    try:
        return HostFacts.model_validate_json(text)
    except ValidationError as error:
        raise NoAnswer(f"its answer cannot be read: {first_error(error)}") from None


def run_on_host(connection: Connection, script: str, request: dict[str, object]) -> str:
    """Run a program of :mod:`haplane.host_programs` with a JSON request; what it printed. Raises NoAnswer."""
    argument = base64.b64encode(json.dumps(request).encode()).decode()
    try:
        done: Result = connection.run("python3 -I -c %s %s", packed(script), argument)
    except RuntimeError as error:  # testinfra raises it for ssh's own failure, the result as its one argument
        raise NoAnswer(last_line(getattr(error.args[0], "stderr", "")) or "ssh failed") from None
    if done.rc != 0:
        raise NoAnswer(f"the probes ended with exit code {done.rc}: {last_line(done.stderr)}")
    return done.stdout
