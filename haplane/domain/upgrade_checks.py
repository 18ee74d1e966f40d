"""What keeps a cluster from being upgraded now. Pure: everything that was found, each with what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from haplane.domain import host_paths
from haplane.domain.cluster_health import Webhook
from haplane.domain.observed import HostReport, Node, Observation, views_of
from haplane.domain.refusals import fix_of_refusal, irreplaceable_pods
from haplane.domain.status.workloads import removal
from haplane.domain.upgrade_flags import Written
from haplane.domain.upgrade_route import OLDEST_KUBELET
from haplane.domain.validation import unreadable
from haplane.domain.versions import is_version, parse
from haplane.domain.webhooks import Called, DryRuns, called, subject
from haplane.errors import INVENTORY, HaplaneError

SUFFIX = re.compile(r"[+-].*")
"""What vendors add to a version: v1.33.5+k3s1, v1.33.5-eks-1234."""

IMAGE_FACTOR = 6
"""Bytes that an image takes for each of its archive: that, containerd's copy of it, and its content unpacked."""

CONTAINERD = re.compile(r"containerd://v?(\d{1,6})\.(\d{1,6})\b")

OLDEST_CONTAINERD = ((38, (2, 0)), (0, (1, 6)))
"""By the first minor version of kubelets that needs it, the newest first.

Kubelets speak CRI v1 alone (cri-client of 1.37.2, pkg/remote_runtime.go), which containerd has since 1.6. Up to 1.37
they take their own cgroup driver where the runtime has no RuntimeConfig, which containerd has since 2.0; that ends
with 1.38 (CRILosingSupport "1.38.0" in cmd/kubelet/app/server.go of 1.37.2, KEP-4033).
"""

DISK_LEFT_BYTES = 1 << 30
"""What stays free: a full disk stops etcd."""


@dataclass(frozen=True)
class DeprecatedApi:
    """A version of an API that was used since the API server of ``host`` was started."""

    host: str
    group: str
    version: str
    resource: str
    removed_release: str

    @property
    def name(self) -> str:
        """As in a manifest's apiVersion, with the resource."""
        return f"{self.group}/{self.version} {self.resource}".lstrip("/")


Label = Annotated[str, Field(max_length=253, pattern=r"^[A-Za-z0-9./_-]*$")]


class _Labels(BaseModel):
    group: Label = ""
    version: Label = ""
    resource: Label = ""
    removed_release: Label = ""


_USED = TypeAdapter(Annotated[list[_Labels], Field(max_length=200)])


def parse_deprecated_apis(host: str, answer: bytes) -> list[DeprecatedApi]:
    """What ``facts/on_host/deprecated_apis.py`` returned. Raises HaplaneError when it is not of that shape."""
    try:
        return [DeprecatedApi(host, **labels.model_dump()) for labels in _USED.validate_json(answer)]
    except ValidationError as error:
        raise unreadable(host, "a list of deprecated APIs", error) from None


def host_problems(
    masters: Sequence[str], members: Sequence[str], observation: Observation, version: str
) -> Iterator[HaplaneError]:
    """Every master and member has to answer and serve, but for one on which an upgrade was interrupted."""
    for name in dict.fromkeys((*masters, *members)):
        if name in observation.unreachable:
            yield HaplaneError(
                f"{name} cannot be reached",
                why=observation.unreachable[name],
                next_step=f"bring it back first, or replace it: `haplane node repair {INVENTORY} {name}`; "
                "while it is away no other may go out of service",
            )
    lost = [name for name in masters if _is_out(observation.reports.get(name), master=True)]
    lost += [name for name in members if _is_out(observation.reports.get(name), master=False)]
    begun = {name for name in lost if _has_begun(observation.reports[name], version)}
    for name in dict.fromkeys(lost):
        if len(begun) != 1 or name not in begun:
            yield HaplaneError(
                f"{name} is not healthy: its {'API server is not ready' if name in masters else 'etcd member fails'}",
                why=None if name in masters else "it does not read through quorum",
                next_step="`haplane status INVENTORY` shows why; fix it, then run again",
            )


def _is_out(report: HostReport | None, *, master: bool) -> bool:
    if report is None:
        return False
    return not (report.apiserver.ready if master else report.etcd.reads_through_quorum)


def _has_begun(report: HostReport, version: str) -> bool:
    return any(path.startswith(host_paths.staged(version, "/")) for path in report.bundle)


def unready_nodes(nodes: Iterable[Node]) -> Iterator[HaplaneError]:
    """Nodes that are not Ready, in the inventory or not."""
    for node in nodes:
        if not node.ready:
            yield HaplaneError(
                f"{node.name} is not Ready", why=node.why or None, next_step="bring it back, or delete its Node"
            )


def kubelet_problems(nodes: Iterable[Node], apiserver: str) -> Iterator[HaplaneError]:
    """Kubelets too old for API servers of that version, in the inventory or not."""
    for node in nodes:
        if is_too_old(node.kubelet_version, apiserver):
            yield HaplaneError(
                f"{node.name}: kubelet {node.kubelet_version} would be too old for {apiserver}",
                why=f"a kubelet is at most {OLDEST_KUBELET} minor versions older than the API servers",
                next_step="upgrade that node's kubelet first, or remove the node",
            )


def new_kubelets(nodes: Iterable[Node], apiserver: str) -> Iterator[HaplaneError]:
    """Kubelets that nobody takes back with API servers that go back to that version."""
    for node in nodes:
        kubelet = SUFFIX.sub("", node.kubelet_version)
        if is_version(kubelet) and parse(kubelet)[:2] > parse(apiserver)[:2]:
            yield HaplaneError(
                f"{node.name}: kubelet {node.kubelet_version} would be newer than API servers of {apiserver}",
                why="a kubelet is never newer than the API servers",
                next_step="take that node's kubelet back first, or remove the node",
            )


def is_too_old(kubelet: str, apiserver: str) -> bool:
    """Whether the skew policy forbids it beside API servers of that version; not where it cannot be read."""
    kubelet = SUFFIX.sub("", kubelet)
    if not is_version(kubelet):
        return False
    old, new = parse(kubelet), parse(apiserver)
    return old.major == new.major and new.minor - old.minor > OLDEST_KUBELET


def runtime_problems(nodes: Iterable[Node], version: str) -> Iterator[HaplaneError]:
    """Of nodes that are not in the inventory: their kubelets could not follow to that version."""
    for node in nodes:
        yield from _old_containerd(
            node.name, node.runtime_version, version, "install a newer one there first, or remove the node"
        )


def bundle_problems(containerd: str, version: str) -> Iterator[HaplaneError]:
    """Of the containerd that the bundle of ``version`` brings with the kubelet; "" for none."""
    name, next_step = f"the bundle of {version}", f"`haplane bundle pin {version}` with a newer one (docs/bundle.md)"
    yield from _old_containerd(name, f"containerd://{containerd}", version, next_step)


def _old_containerd(name: str, runtime: str, version: str, next_step: str) -> Iterator[HaplaneError]:
    needed = next(oldest for minor, oldest in OLDEST_CONTAINERD if parse(version).minor >= minor)
    found = CONTAINERD.match(runtime)
    if found and (int(found[1]), int(found[2])) < needed:
        yield HaplaneError(
            f"{name}: containerd {found[1]}.{found[2]} is too old for a kubelet of {version}",
            why=f"it needs containerd {needed[0]}.{needed[1]} or newer",
            next_step=next_step,
        )


def undecided(reports: Iterable[HostReport]) -> list[str]:
    """Webhooks that do not answer, of which their matchConditions decide whether they are called."""
    views = views_of(reports)
    return sorted({hook.webhook for view in views for hook in view.webhooks if called(hook, view) is Called.PERHAPS})


def webhook_problems(reports: Iterable[HostReport], tried: DryRuns) -> Iterator[HaplaneError]:
    """Webhooks that do not answer and are called for the cluster's own objects: an upgrade would be refused those.

    The others are left to `haplane status`. ``tried`` is of those that are undecided.
    """
    found: dict[tuple[str, str], tuple[Webhook, str]] = {}
    for view, hook in [(one, hook) for one in views_of(reports) for hook in one.webhooks]:
        judged, refused = called(hook, view), hook.webhook in tried.refused
        if judged is Called.YES or (judged is Called.PERHAPS and refused):
            found[hook.kind, hook.name] = hook, "refuses"
        elif judged is Called.PERHAPS and not tried.complete:
            found.setdefault((hook.kind, hook.name), (hook, "may refuse"))
    for hook, refuses in found.values():
        yield HaplaneError(
            f"{hook.kind} {hook.name} {refuses} {subject(hook)}, the cluster's own among them",
            why=f"{hook.why}{'; its matchConditions could not be tried' if refuses == 'may refuse' else ''}",
            next_step=removal(hook),
        )


def pod_problems(reports: Iterable[HostReport]) -> Iterator[HaplaneError]:
    """DaemonSets and CoreDNS whose pods an upgrade would end and API servers would refuse to make again."""
    for name, why in irreplaceable_pods(views_of(reports)).items():
        what = f"API servers would refuse the pods of {name} that an upgrade makes anew"
        yield HaplaneError(what, why=why, next_step=fix_of_refusal(name, why))


def flag_problems(refused: Mapping[Written, str], version: str) -> Iterator[HaplaneError]:
    """Of flags and gates that the programs of ``version`` do not take, with what they say."""
    for one, said in refused.items():
        yield HaplaneError(
            f"{one.program} of {version} does not accept the {'' if one.gate else 'flag '}{one}",
            where=one.where,
            why=f"it does not start with it: {said}",
            next_step="remove it there, then run again",
        )


def api_problems(used: Iterable[DeprecatedApi], version: str) -> Iterator[HaplaneError]:
    """APIs that somebody still uses and that ``version`` does not serve any more."""
    by_name: dict[tuple[str, str], list[str]] = {}
    for one in used:
        release = f"{one.removed_release}.0"
        if is_version(release) and parse(release)[:2] <= parse(version)[:2]:
            by_name.setdefault((one.name, one.removed_release), []).append(one.host)
    for (name, release), hosts in by_name.items():
        yield HaplaneError(
            f"{name} is still used, and is removed in {release}",
            where=f"API server of {', '.join(dict.fromkeys(hosts))}: apiserver_requested_deprecated_apis",
            why="its API server has counted a request since it was started",
            next_step=f'grep \'"k8s.io/deprecated":"true"\' {host_paths.AUDIT_LOG} names who; '
            "move them to the newer API; a request counts until its API server ends: "
            f"`haplane certs renew {INVENTORY}` restarts each",
        )


def disk_problems(needed: Mapping[str, int], reports: Mapping[str, HostReport]) -> Iterator[HaplaneError]:
    """``needed``: bytes by host, of binaries and images."""
    for name, bytes_needed in needed.items():
        machine = reports[name].machine
        free = machine.disk_free_bytes
        if bytes_needed and free < bytes_needed + DISK_LEFT_BYTES:
            yield HaplaneError(
                f"{name}: too little disk to stage the new version",
                where=f"{name}: {machine.disk}",
                why=f"{free >> 20} MiB free, {bytes_needed >> 20} needed, and {DISK_LEFT_BYTES >> 20} must stay free",
                next_step=f"make room on {name}, then run again",
            )


def room_for_programs(switched: Mapping[str, int], reports: Mapping[str, HostReport]) -> Iterator[HaplaneError]:
    """``switched``: bytes by host, of programs that are copied from another file system beside those that run."""
    for name, bytes_needed in switched.items():
        free = reports[name].machine.programs_free_bytes
        if free is not None and free < bytes_needed:
            yield HaplaneError(
                f"{name}: too little disk to switch to the new version",
                where=f"{name}: {host_paths.BINARIES}, which is not on the file system of {host_paths.STATE}",
                why=f"{free >> 20} MiB free, {bytes_needed >> 20} needed while the old programs run",
                next_step=f"make room on {name}, then run again",
            )
