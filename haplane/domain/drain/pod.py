"""A pod as the API server returns it: what decides where it may run, and what it loses when it goes."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field

from haplane.domain.drain.api import (
    ApiObject,
    Entries,
    Labels,
    NodeAffinity,
    Object,
    Quantities,
    Selector,
    Taint,
    Text,
    Toleration,
)
from haplane.domain.reported import Count

CORDON = Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule")
"""What the scheduler asks of a pod before it puts it onto a cordoned node."""


ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - what the scheduler takes an empty hostIP for


class PodTerm(ApiObject):
    """Pods that must, or must not, be in the same ``topology_key``."""

    label_selector: Selector | None = None
    namespaces: Annotated[tuple[Text, ...], Entries] = ()
    namespace_selector: Selector | None = None
    topology_key: Text = ""


class PodAffinity(ApiObject):
    """Also of anti-affinity."""

    required_during_scheduling_ignored_during_execution: Annotated[tuple[PodTerm, ...], Entries] = ()


class Spread(ApiObject):
    """How evenly pods are spread over the values of a label of nodes."""

    max_skew: Count = 1
    min_domains: Count = 1
    topology_key: Text = ""
    when_unsatisfiable: Text = ""
    label_selector: Selector | None = None
    node_affinity_policy: Text = "Honor"
    node_taints_policy: Text = "Ignore"


class Affinity(ApiObject):
    """What a pod demands of nodes and of other pods."""

    node_affinity: NodeAffinity = NodeAffinity()
    pod_affinity: PodAffinity = PodAffinity()
    pod_anti_affinity: PodAffinity = PodAffinity()


class EmptyDir(ApiObject):
    """``medium`` is empty for one on disk, else ``Memory`` or ``HugePages`` of some size."""

    medium: Text = ""

    @property
    def in_memory(self) -> bool:
        """Whether a boot empties it."""
        return bool(self.medium)


class HostPath(ApiObject):
    """A path of the host."""

    path: Text = ""
    type: Text = ""

    @property
    def holds_data(self) -> bool:
        """Sockets and devices hold none."""
        return self.type not in ("Socket", "CharDevice")


class ClaimReference(ApiObject):
    """Of a PersistentVolumeClaim in the pod's namespace."""

    claim_name: Text = ""


class Ephemeral(ApiObject):
    """A claim of the pod's own, which is deleted with it."""


class GitRepo(ApiObject):
    """A clone that the kubelet makes for the pod."""


class InlineCsi(ApiObject):
    """A volume that a CSI driver makes for the pod alone."""

    driver: Text = ""
    read_only: bool = False


class FlexVolume(ApiObject):
    """A volume that a program on the host attaches."""

    driver: Text = ""
    read_only: bool = False


class Volume(ApiObject):
    """Of a pod: those that may hold data which ends with the pod, or stays on the host."""

    name: Text
    empty_dir: EmptyDir | None = None
    host_path: HostPath | None = None
    persistent_volume_claim: ClaimReference | None = None
    ephemeral: Ephemeral | None = None
    git_repo: GitRepo | None = None
    csi: InlineCsi | None = None
    flex_volume: FlexVolume | None = None


class Mount(ApiObject):
    """A volume in a container."""

    name: Text
    read_only: bool = False


class Port(ApiObject):
    """Of a container; ``host_port`` 0 is none. ``host_ip`` is empty for all addresses of the host."""

    host_port: Count = 0
    host_ip: Text = Field("", alias="hostIP")
    protocol: Text = "TCP"

    def clashes_with(self, other: Port) -> bool:
        """Whether no host has both."""
        addresses = {self.host_ip or ANY_ADDRESS, other.host_ip or ANY_ADDRESS}
        same = (self.protocol, self.host_port) == (other.protocol, other.host_port)
        return same and (len(addresses) == 1 or ANY_ADDRESS in addresses)


class Resources(ApiObject):
    """What the scheduler counts."""

    requests: Quantities = Field(default_factory=dict)


class Container(ApiObject):
    """Of a pod; ``restart_policy`` is ``Always`` for an init container that runs beside the others."""

    resources: Resources = Resources()
    volume_mounts: Annotated[tuple[Mount, ...], Entries] = ()
    ports: Annotated[tuple[Port, ...], Entries] = ()
    restart_policy: Text = ""


class ResourceClaim(ApiObject):
    """Of devices, by the pod's own name for it."""

    name: Text = ""


class PodSpec(ApiObject):
    """What a pod is to be."""

    node_name: Text = ""
    node_selector: Labels = Field(default_factory=dict)
    affinity: Affinity = Affinity()
    tolerations: Annotated[tuple[Toleration, ...], Entries] = ()
    volumes: Annotated[tuple[Volume, ...], Entries] = ()
    containers: Annotated[tuple[Container, ...], Entries] = ()
    init_containers: Annotated[tuple[Container, ...], Entries] = ()
    overhead: Quantities = Field(default_factory=dict)
    resources: Resources = Resources()
    topology_spread_constraints: Annotated[tuple[Spread, ...], Entries] = ()
    resource_claims: Annotated[tuple[ResourceClaim, ...], Entries] = ()
    priority: Count = 0
    preemption_policy: Text = "PreemptLowerPriority"
    restart_policy: Text = "Always"
    termination_grace_period_seconds: Count = 30


class Condition(ApiObject):
    """One condition of a pod, a node or a budget."""

    type: Text
    status: Text
    reason: Text = ""
    message: Text = ""
    last_transition_time: AwareDatetime | None = None


class ContainerStatus(ApiObject):
    """``container_id`` is another one after each restart."""

    restart_count: Count = 0
    container_id: Text = Field("", alias="containerID")


class PodStatus(ApiObject):
    """How a pod is."""

    phase: Text = ""
    conditions: Annotated[tuple[Condition, ...], Entries] = ()
    container_statuses: Annotated[tuple[ContainerStatus, ...], Entries] = ()


class Pod(Object):
    """A pod."""

    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def ended(self) -> bool:
        """Whether nothing of it runs any more."""
        return self.status.phase in ("Succeeded", "Failed")

    @property
    def ready(self) -> bool:
        """Whether it serves."""
        return self.condition("Ready") is not None

    @property
    def tolerates_cordons(self) -> bool:
        """Whether the scheduler puts it onto a cordoned node all the same."""
        return CORDON.tolerated_by(self.spec.tolerations)

    def condition(self, kind: str) -> Condition | None:
        """The condition of that type, if it is true."""
        found = (one for one in self.status.conditions if one.type == kind and one.status == "True")
        return next(found, None)
