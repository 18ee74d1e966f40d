"""What hosts report of everything without which pods do not run where they should. Pure.

The shapes are those of ``facts/on_host/{components,workloads,precedence}.py``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from haplane.domain import host_paths
from haplane.domain.drain.api import ApiObject, Labels, Selector
from haplane.domain.reported import Count, Number, Observed, Text

FULL_NAME = r"^[a-z0-9]([a-z0-9./:-]{0,500}[a-z0-9])?$"
FullName = Annotated[str, Field(pattern=FULL_NAME)]
"""NAME or NAMESPACE/NAME; some built-in objects of the API have colons in theirs."""

LabelKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9./_-]{1,317}$")]

Word = Annotated[str, Field(max_length=253)]
Words = Annotated[tuple[Word, ...], Field(max_length=100)]

ApiPath = Annotated[str, Field(pattern=r"^/api[A-Za-z0-9./:%_-]{1,500}$")]


class Component(Observed):
    """A static pod of haplane's on this master.

    ``unhealthy``: what is wrong with its /healthz; ``unserved``: why its kubeconfig gets it to no API server, and
    ``server`` the one that is named there; ``differing``: flags that are either in its manifest or in effect.
    ``started_at``: when its oldest process started, in seconds since the epoch; 0 where it does not run.
    """

    unhealthy: Text | None = None
    unserved: Text | None = None
    server: Text = ""
    differing: tuple[Text, ...] = ()
    started_at: Number = 0


class Components(Observed):
    """``of`` by the static pod's name; ``conflicts``: other manifests by path, and which of these each defines."""

    of: dict[FullName, Component] = Field(default_factory=dict)
    conflicts: dict[Text, Text] = Field(default_factory=dict)


class Precedence(Observed):
    """What takes the place of haplane's files.

    ``units``: unit -> other unit files and drop-ins that decide what it runs. ``cni``: the configurations of pod
    networks in the runtime's order. ``forward``: "FAMILY TABLE CHAIN" of nftables, or "legacy" for iptables-legacy,
    that drops what pods send. ``kernel``: settings that are not as haplane's file has them, and as what they are.
    ``tables``: those of kube-proxy and flannel that nftables has, None where that is not known. ``no_subnet``: what
    flannel leaves for its plugin is gone.
    """

    units: dict[FullName, tuple[Text, ...]] = Field(default_factory=dict)
    cni: tuple[Text, ...] = ()
    kernel: dict[Text, Text] = Field(default_factory=dict)
    tables: tuple[Text, ...] | None = None
    no_subnet: bool = False
    forward: tuple[Annotated[str, Field(pattern=r"^[\w .-]{1,200}$")], ...] = ()

    @property
    def overriding_cni(self) -> str | None:
        """The path of what the runtime takes in place of flannel's configuration."""
        configurations = [f"{host_paths.CNI_CONFIG}/{name}" for name in self.cni]
        there = host_paths.FLANNEL_CONFLIST in configurations
        return configurations[0] if there and configurations[0] != host_paths.FLANNEL_CONFLIST else None


class Pod(Observed):
    """``component`` is a static pod's, ``reason`` why a container waits, or the pod's phase.

    ``ended``: all of it has, for good. A kubelet starts such a static pod again only once its manifest comes anew.
    """

    name: FullName
    node: Text
    component: Text = ""
    ready: bool
    ended: bool = False
    reason: Text
    message: Text


class DaemonSet(Observed):
    """``name`` is NAMESPACE/NAME, ``selects`` the labels of nodes that it is for.

    ``pods`` and the last ``warning`` are there only while some pod is not ready.
    """

    name: FullName
    desired: Count
    ready: Count
    pods: tuple[Pod, ...] = ()
    warning: Text | None = None
    selects: dict[LabelKey, Text] = Field(default_factory=dict)
    observed: bool = True


class Lease(Observed):
    """Who leads, and how long ago it said so."""

    holder: Text
    age_seconds: Number | None


class Rule(ApiObject):
    """Which requests a webhook is for; ``scope`` is ``Namespaced``, ``Cluster`` or ``*``."""

    api_groups: Words = ()
    resources: Words = ()
    operations: Words = ()
    scope: Word = "*"


class Webhook(Observed):
    """An admission webhook that does not answer, and ``why``, so that it refuses what it would be called for.

    ``target`` is its service (NAMESPACE/NAME), empty for one at a URL; ``partly``: another endpoint of that one
    answers. ``namespaces`` and ``objects`` are its selectors; ``conditional``: it has matchConditions besides.
    ``seconds``: so long API servers wait for it.
    """

    kind: Literal["validatingwebhookconfiguration", "mutatingwebhookconfiguration"]
    name: FullName
    webhook: FullName
    target: FullName | Literal[""] = ""
    why: Text
    partly: bool = False
    rules: Annotated[tuple[Rule, ...], Field(max_length=100)] = ()
    namespaces: Selector = Selector()
    objects: Selector = Selector()
    conditional: bool = False
    seconds: Count = 10


class Conversion(Observed):
    """A CustomResourceDefinition whose conversion webhook does not answer, and ``why``; ``target`` as a webhook's."""

    name: FullName
    why: Text
    target: FullName | Literal[""] = ""


class OwnObject(Observed):
    """A kind of object that haplane or the cluster itself writes; ``labels`` are None where they are not known."""

    group: Word = ""
    resource: Word
    namespace: Word = ""
    labels: Labels | None = Field(default_factory=dict)


class Workloads(Observed):
    """As one API server reports them.

    ``refused``: whose pods (NAMESPACE/NAME) the API server would not take again, and why, by writes that it does
    not store; ``hindered`` are service accounts of kube-system that may not do what they are for. ``delaying`` are
    webhooks that refuse nothing, and are waited for. Where one does not answer, ``own`` is what else it may refuse,
    and ``namespaces`` has the labels of theirs. Of the objects that haplane applied, as their paths in the API:
    ``missing``, ``edited`` by somebody else, and ``held`` by finalizers though somebody deleted them. ``recorded``:
    it is known which they are. ``lost_roles``: paths of Kubernetes' own roles and bindings that are gone, or bind
    nobody.
    """

    daemon_sets: tuple[DaemonSet, ...] = ()
    pods: tuple[Pod, ...] = ()
    leases: dict[FullName, Lease] = Field(default_factory=dict)
    webhooks: tuple[Webhook, ...] = ()
    delaying: tuple[Webhook, ...] = ()
    hindered: Annotated[dict[FullName, Text], Field(max_length=1000)] = Field(default_factory=dict)
    refused: Annotated[dict[FullName, Text], Field(max_length=1000)] = Field(default_factory=dict)
    own: Annotated[tuple[OwnObject, ...], Field(max_length=1000)] = ()
    namespaces: Annotated[dict[Word, Labels], Field(max_length=1000)] = Field(default_factory=dict)
    recorded: bool = True
    held: tuple[ApiPath, ...] = ()
    missing: tuple[ApiPath, ...] = ()
    edited: tuple[ApiPath, ...] = ()
    lost_roles: tuple[ApiPath, ...] = ()
