"""Nodes, disruption budgets, volumes and Jobs as the API server returns them, and all that runs as one document."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from haplane.domain.drain.api import ApiObject, Entries, NodeAffinity, Object, Quantities, Selector, Taint, Text
from haplane.domain.drain.pod import Condition, HostPath, Pod
from haplane.domain.reported import Count, ShortText
from haplane.domain.validation import unreadable

MOST_PODS = 20_000
MOST_OBJECTS = 50_000
MOST_NODES = 5_000


class BudgetSpec(ApiObject):
    """``unhealthy_pod_eviction_policy``: AlwaysAllow or IfHealthyBudget, which is the default."""

    selector: Selector | None = None
    unhealthy_pod_eviction_policy: Text = "IfHealthyBudget"


class BudgetStatus(ApiObject):
    """As the disruption controller last counted."""

    observed_generation: Count = 0
    disruptions_allowed: Count = 0
    current_healthy: Count = 0
    desired_healthy: Count = 0
    expected_pods: Count = 0
    conditions: Annotated[tuple[Condition, ...], Entries] = ()

    @property
    def failure(self) -> str | None:
        """Why the disruption controller cannot count, if it cannot."""
        return next((one.message for one in self.conditions if one.reason == "SyncFailed"), None)


class Budget(Object):
    """A PodDisruptionBudget."""

    spec: BudgetSpec = BudgetSpec()
    status: BudgetStatus = BudgetStatus()

    def covers(self, pod: Pod) -> bool:
        """Whether its selector selects the pod; one without a selector selects none."""
        selector = self.spec.selector
        same = self.metadata.namespace == pod.metadata.namespace
        return same and selector is not None and selector.matches(pod.metadata.labels)


class NodeSpec(ApiObject):
    """What was decided of a node."""

    unschedulable: bool = False
    taints: Annotated[tuple[Taint, ...], Entries] = ()


class NodeInfo(ApiObject):
    """``boot_id`` is another one after each boot."""

    boot_id: Text = Field("", alias="bootID")


class NodeStatus(ApiObject):
    """What a node has."""

    allocatable: Quantities = Field(default_factory=dict)
    conditions: Annotated[tuple[Condition, ...], Entries] = ()
    node_info: NodeInfo = NodeInfo()


class NodeObject(Object):
    """A Node."""

    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()

    @property
    def ready(self) -> bool:
        """Whether its kubelet reports so."""
        return any(one.type == "Ready" and one.status == "True" for one in self.status.conditions)


class ClaimSpec(ApiObject):
    """``access_modes``: of ReadWriteOnce, ReadWriteOncePod, ReadOnlyMany, ReadWriteMany."""

    access_modes: Annotated[tuple[Text, ...], Entries] = ()
    volume_name: Text = ""


class Claim(Object):
    """A PersistentVolumeClaim."""

    spec: ClaimSpec = ClaimSpec()

    @property
    def single_node(self) -> bool:
        """Whether one node at a time can use it."""
        return bool(self.spec.access_modes) and not {"ReadWriteMany", "ReadOnlyMany"} & set(self.spec.access_modes)


class LocalVolume(ApiObject):
    """A disk or directory of one host."""

    path: Text = ""


class PersistentVolumeSpec(ApiObject):
    """Where a volume is; ``host_path`` and ``local`` are a host's own."""

    node_affinity: NodeAffinity = NodeAffinity()
    local: LocalVolume | None = None
    host_path: HostPath | None = None


class PersistentVolume(Object):
    """A PersistentVolume."""

    spec: PersistentVolumeSpec = PersistentVolumeSpec()


class FailureRule(ApiObject):
    """``on_pod_conditions`` names DisruptionTarget in a rule about evictions.

    ``action``: Ignore, Count, FailIndex or FailJob.
    """

    action: Text = ""
    on_pod_conditions: Annotated[tuple[Condition, ...], Entries] = ()


class FailurePolicy(ApiObject):
    """What a failed pod of a Job means."""

    rules: Annotated[tuple[FailureRule, ...], Entries] = ()


class TemplateSpec(ApiObject):
    """``node_name`` is set where somebody has chosen the node for the scheduler."""

    node_name: Text = ""


class Template(ApiObject):
    """What a controller makes its pods from."""

    spec: TemplateSpec = TemplateSpec()


class OwnerSpec(ApiObject):
    """Of a controller."""

    template: Template = Template()


class Owner(Object):
    """A controller of pods."""

    spec: OwnerSpec = OwnerSpec()


class JobSpec(OwnerSpec):
    """How often a Job may fail, and each of its indexes."""

    backoff_limit: Count = 6
    backoff_limit_per_index: Count | None = None
    pod_failure_policy: FailurePolicy = FailurePolicy()


class JobStatus(ApiObject):
    """How often it has."""

    failed: Count = 0


class Job(Owner):
    """A Job."""

    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()

    @property
    def action_on_eviction(self) -> str:
        """What the first rule about evictions makes of an evicted pod; without one it counts as a failure."""
        rules = self.spec.pod_failure_policy.rules
        about = (rule for rule in rules if any(one.type == "DisruptionTarget" for one in rule.on_pod_conditions))
        return next((rule.action for rule in about), "Count")


Many = Field(max_length=MOST_OBJECTS)


class Workloads(BaseModel):
    """Everything that runs, as one API server returned it.

    ``owners`` are ReplicaSets, ReplicationControllers, StatefulSets and DaemonSets. ``used_bytes``
    maps "POD UID/VOLUME" to what the kubelet counts there, for pods of the nodes in question; ``unknown`` names what
    could not be read, and why.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    pods: Annotated[tuple[Pod, ...], Field(max_length=MOST_PODS)]
    nodes: Annotated[tuple[NodeObject, ...], Field(max_length=MOST_NODES)]
    namespaces: Annotated[tuple[Object, ...], Many] = ()
    budgets: Annotated[tuple[Budget, ...], Many] = ()
    owners: Annotated[tuple[Owner, ...], Many] = ()
    jobs: Annotated[tuple[Job, ...], Many] = ()
    claims: Annotated[tuple[Claim, ...], Many] = ()
    volumes: Annotated[tuple[PersistentVolume, ...], Many] = ()
    used_bytes: Annotated[dict[ShortText, Count], Many] = Field(default_factory=dict)
    unknown: Annotated[dict[ShortText, ShortText], Field(max_length=1000)] = Field(default_factory=dict)

    @cached_property
    def labels_of_namespaces(self) -> dict[str, dict[str, str]]:
        """The labels of each namespace, by its name."""
        return {one.metadata.name: one.metadata.labels for one in self.namespaces}

    @cached_property
    def claims_by_name(self) -> dict[str, Claim]:
        """The claims by NAMESPACE/NAME."""
        return {claim.name: claim for claim in self.claims}

    @cached_property
    def volumes_by_name(self) -> dict[str, PersistentVolume]:
        """The volumes by their names."""
        return {volume.metadata.name: volume for volume in self.volumes}

    def on(self, node: str) -> tuple[Pod, ...]:
        """The pods bound to that node."""
        return tuple(pod for pod in self.pods if pod.spec.node_name == node)


def parse_workloads(host: str, text: bytes) -> Workloads:
    """What a master returned. Raises HaplaneError when it is not of that shape or too much."""
    try:
        return Workloads.model_validate_json(text)
    except ValidationError as error:
        raise unreadable(host, "API objects", error) from None
