"""What one API server reports of the whole cluster. The shape is that of ``facts/on_host/findings.py``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from haplane.domain.cluster_health import FullName
from haplane.domain.names import NodeName
from haplane.domain.reported import Observed, Text

Address = Annotated[str, Field(pattern=r"^[0-9.]{7,15}$")]


class NotAvailable(Observed):
    """An APIService, a namespace that does not go, or a pod that is not bound, and ``why``."""

    name: FullName
    why: Text = ""


class Crashing(Observed):
    """A pod, as NAMESPACE/NAME, that never ran, or of which a container ended soon after its last starts."""

    name: FullName
    node: NodeName
    why: Text


class Lingering(Observed):
    """A pod, as NAMESPACE/NAME, that should have ended, its node if it has one, and the finalizers that hold it."""

    name: FullName
    node: NodeName | Literal[""] = ""
    held: tuple[Text, ...] = ()


class Displaced(Observed):
    """The ``address`` that the service kube-dns has in place of its own, whose ``holder`` is another service.

    Both are "" where all is as it should be; either may be alone.
    """

    address: Annotated[str, Field(pattern=r"^[0-9a-fA-F.:]*$|^None$", max_length=64)] = ""
    holder: FullName | Literal[""] = ""


class Findings(Observed):
    """``unscheduled`` are pods that no scheduler has looked at, ``unobserved`` Deployments that no controller has.

    ``unbound`` are those that it fails to bind by an error, ``unstarted`` those without a sandbox on their node.
    ``endpoints``: the ready addresses of the services ``default/kubernetes`` and ``kube-system/kube-dns``.
    ``paused``: CoreDNS' Deployment is. ``corefile``: why CoreDNS does not take it. ``unforwarded``: name servers that
    it leads to, and that do not answer. ``service_networks``: the
    ServiceCIDRs, where Services get no address of any. ``unread``: answers that were not understood, and why.
    """

    api_services: tuple[NotAvailable, ...] = ()
    terminating: tuple[NotAvailable, ...] = ()
    unscheduled: tuple[FullName, ...] = ()
    unbound: tuple[NotAvailable, ...] = ()
    unstarted: tuple[Crashing, ...] = ()
    unobserved: tuple[FullName, ...] = ()
    crashing: tuple[Crashing, ...] = ()
    not_going: tuple[Lingering, ...] = ()
    paused: bool = False
    endpoints: dict[FullName, tuple[Annotated[str, Field(max_length=64)], ...]] = Field(default_factory=dict)
    corefile: Text = ""
    unforwarded: Annotated[tuple[Address, ...], Field(max_length=100)] = ()
    service_networks: tuple[NotAvailable, ...] = ()
    displaced_dns: Displaced = Displaced()
    unread: dict[Text, Text] = Field(default_factory=dict)

    @property
    def dns_is_displaced(self) -> bool:
        """Whether the service kube-dns is not where pods ask."""
        return self.displaced_dns != Displaced()
