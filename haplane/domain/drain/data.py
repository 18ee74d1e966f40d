"""What data a pod has that does not follow it. Pure."""

from __future__ import annotations

from haplane.domain.drain.cluster import Claim, Workloads
from haplane.domain.drain.placement import selects
from haplane.domain.drain.pod import Pod, Volume

SAFE_TO_EVICT = "cluster-autoscaler.kubernetes.io/safe-to-evict"
SAFE_VOLUMES = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"
MEBIBYTE = 1 << 20


def lost_with_the_pod(pod: Pod, workloads: Workloads) -> tuple[str, ...]:
    """Once the pod is deleted. Volumes that its owner has called safe to evict are left out."""
    lost = (_lost(pod, volume, workloads) for volume in _not_called_safe(pod))
    return tuple(one for one in lost if one is not None)


def lost_with_the_memory(pod: Pod, workloads: Workloads) -> tuple[str, ...]:
    """When the host reboots and the pod stays, but what its owner has called safe to evict."""
    in_memory = (volume for volume in _not_called_safe(pod) if volume.empty_dir and volume.empty_dir.in_memory)
    return tuple(_empty_dir(pod, volume, workloads) for volume in in_memory)


def of_the_pod_alone(pod: Pod, workloads: Workloads) -> tuple[str, ...]:
    """Volumes that were made for it and end with it, but what its owner has called safe to evict."""
    found = (_of_the_pod_alone(pod, volume, workloads) for volume in _not_called_safe(pod))
    return tuple(one for one in found if one is not None)


def _not_called_safe(pod: Pod) -> list[Volume]:
    notes = pod.metadata.annotations
    safe = {name.strip() for name in notes.get(SAFE_VOLUMES, "").split(",")}
    if notes.get(SAFE_TO_EVICT) == "true":
        safe |= {volume.name for volume in pod.spec.volumes if volume.empty_dir or volume.host_path}
    return [volume for volume in pod.spec.volumes if volume.name not in safe]


def single_node_claims(pod: Pod, workloads: Workloads) -> tuple[Claim, ...]:
    """The pod's claims of volumes that one node at a time can use."""
    named = [
        f"{pod.metadata.namespace}/{volume.persistent_volume_claim.claim_name}"
        for volume in pod.spec.volumes
        if volume.persistent_volume_claim is not None
    ]
    found = (workloads.claims_by_name.get(name) for name in named)
    return tuple(claim for claim in found if claim is not None and claim.single_node)


def _lost(pod: Pod, volume: Volume, workloads: Workloads) -> str | None:
    if volume.host_path is not None and volume.host_path.holds_data and _is_written(pod, volume):
        return f"hostPath {volume.host_path.path}: it stays on this host, a replacement elsewhere does not have it"
    if volume.persistent_volume_claim is not None:
        return _claimed(pod, volume.persistent_volume_claim.claim_name, workloads)
    return _of_the_pod_alone(pod, volume, workloads)


def _of_the_pod_alone(pod: Pod, volume: Volume, workloads: Workloads) -> str | None:
    if volume.empty_dir is not None:
        return _empty_dir(pod, volume, workloads)
    if volume.ephemeral is not None:
        return f"volume {volume.name}: its claim is deleted with the pod"
    if volume.git_repo is not None and _is_written(pod, volume):
        return f"gitRepo {volume.name}: a replacement clones it anew"
    if volume.csi is not None and not volume.csi.read_only and _is_written(pod, volume):
        return f"inline CSI volume {volume.name} ({volume.csi.driver}): it is deleted with the pod"
    flex = volume.flex_volume
    if flex is not None and not flex.read_only and _is_written(pod, volume):
        return f"flexVolume {volume.name} ({flex.driver}): its driver decides whether the data follows the pod"
    return None


def _empty_dir(pod: Pod, volume: Volume, workloads: Workloads) -> str:
    size = workloads.used_bytes.get(f"{pod.metadata.uid}/{volume.name}")
    shown = "of unknown size" if size is None else f"{size / MEBIBYTE:.1f} MiB"
    where = "in memory" if volume.empty_dir and volume.empty_dir.in_memory else "on disk"
    return f"emptyDir {volume.name} {where}, {shown}"


def _is_written(pod: Pod, volume: Volume) -> bool:
    containers = (*pod.spec.containers, *pod.spec.init_containers)
    mounts = [mount for container in containers for mount in container.volume_mounts if mount.name == volume.name]
    return any(not mount.read_only for mount in mounts)


def _claimed(pod: Pod, claim_name: str, workloads: Workloads) -> str | None:
    claim = workloads.claims_by_name.get(f"{pod.metadata.namespace}/{claim_name}")
    if claim is not None and claim.metadata.deletion_timestamp is not None:
        return f"PersistentVolumeClaim {claim.name} was deleted: it goes once no pod uses it"
    volume = workloads.volumes_by_name.get(claim.spec.volume_name) if claim else None
    if volume is None:
        return None
    if place := volume.spec.local or volume.spec.host_path:
        return f"local volume {volume.metadata.name} ({place.path}): it is on this host alone"
    where = volume.spec.node_affinity.required
    others = (node for node in workloads.nodes if node.metadata.name != pod.spec.node_name)
    if where is not None and not any(selects(where, node) for node in others):
        return f"volume {volume.metadata.name}: no other node can use it (its nodeAffinity)"
    return None
