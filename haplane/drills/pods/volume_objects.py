"""The objects of a driver whose volumes are really attached, one node at a time, and hold nothing. Pure.

The attach/detach controller makes a VolumeAttachment of each, external-attacher confirms it (it has nothing else to
do: the driver has no controller service), and the driver's node plugin mounts an empty directory.
https://kubernetes-csi.github.io/docs/external-attacher.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from haplane.domain import host_paths
from haplane.drills.pods.pod_kinds import Made

DRIVER = "volumes.haplane.invalid"
SOCKETS = f"{host_paths.KUBELET_PLUGINS}/{DRIVER}"
ATTACHER = "haplane-drill-attacher"
LABELS = {"haplane-drill-volumes": "true"}
"""Of all that is not in a namespace."""

LABELLED = "labelSelector=" + quote(",".join(f"{name}={value}" for name, value in LABELS.items()))
"""The query that finds it."""

CORE, STORAGE, RBAC = "/api/v1", "/apis/storage.k8s.io/v1", "/apis/rbac.authorization.k8s.io/v1"
WHOLE = (f"{STORAGE}/csidrivers", f"{RBAC}/clusterroles", f"{RBAC}/clusterrolebindings", f"{CORE}/persistentvolumes")
"""Collections outside of namespaces that have some of them."""


def cluster_objects(namespace: str) -> Iterator[Made]:
    """The driver, and what external-attacher, in its namespace, may do."""
    rules = [
        _rule("", "persistentvolumes", "get", "list", "watch", "patch"),
        _rule("storage.k8s.io", "csinodes", "get", "list", "watch"),
        _rule("storage.k8s.io", "volumeattachments", "get", "list", "watch", "patch"),
        _rule("storage.k8s.io", "volumeattachments/status", "patch"),
    ]
    driver = {"attachRequired": True, "podInfoOnMount": False, "volumeLifecycleModes": ["Persistent"]}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ATTACHER}
    subjects = [{"kind": "ServiceAccount", "name": ATTACHER, "namespace": namespace}]
    yield f"{STORAGE}/csidrivers", _object("storage.k8s.io/v1", "CSIDriver", DRIVER, spec=driver)
    yield f"{RBAC}/clusterroles", _object("rbac.authorization.k8s.io/v1", "ClusterRole", ATTACHER, rules=rules)
    yield (
        f"{RBAC}/clusterrolebindings",
        _object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", ATTACHER, roleRef=role, subjects=subjects),
    )


def _rule(group: str, resource: str, *verbs: str) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}


def _object(version: str, kind: str, name: str, **fields: object) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": LABELS}, **fields}


def driver_objects(
    namespace: str, image: str, nodes: Sequence[str], survivor: tuple[str, str, int]
) -> Iterator[Made]:
    """The node plugin on every node; external-attacher on the master ``survivor``: its name, address and API's port.

    It uses that master's API server, so that no connection of it ends with the node that dies.
    """
    core, selector = f"{CORE}/namespaces/{namespace}", {"haplane-drill": "volume-plugin"}
    yield f"{core}/serviceaccounts", _object("v1", "ServiceAccount", ATTACHER)
    template = {"metadata": {"labels": selector}, "spec": _plugin(image, nodes)}
    spec = {"selector": {"matchLabels": selector}, "template": template}
    yield f"/apis/apps/v1/namespaces/{namespace}/daemonsets", _object("apps/v1", "DaemonSet", "plugin", spec=spec)
    yield f"{core}/pods", _object("v1", "Pod", "attacher", spec=_attacher(image, *survivor))


def _plugin(image: str, nodes: Sequence[str]) -> dict[str, Any]:
    node = {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    kubelet = {"name": "kubelet", "mountPath": host_paths.KUBELET, "mountPropagation": "Bidirectional"}
    container = {
        "name": "plugin",
        "image": image,
        "command": [host_paths.DRILL_VOLUME_PLUGIN, "--node=$(NODE)"],
        "env": [node],
        "securityContext": {"privileged": True},  # the kubelet is to see what it mounts
        "volumeMounts": [_PROGRAMS, kubelet],
    }
    return _pod(container, {"kubelet": host_paths.KUBELET}, nodes) | {"automountServiceAccountToken": False}


def _attacher(image: str, survivor: str, address: str, port: int) -> dict[str, Any]:
    api = {"KUBERNETES_SERVICE_HOST": address, "KUBERNETES_SERVICE_PORT": str(port)}
    container = {
        "name": "attacher",
        "image": image,
        "command": [host_paths.DRILL_ATTACHER, f"--csi-address={SOCKETS}/csi.sock", "--v=2"],
        "env": [{"name": name, "value": value} for name, value in api.items()],
        "volumeMounts": [_PROGRAMS, {"name": "sockets", "mountPath": SOCKETS}],
    }
    return _pod(container, {"sockets": SOCKETS}, [survivor]) | {"serviceAccountName": ATTACHER, "hostNetwork": True}


_PROGRAMS = {"name": "programs", "mountPath": host_paths.DRILL_PROGRAMS, "readOnly": True}


def _pod(container: dict[str, Any], directories: dict[str, str], nodes: Sequence[str]) -> dict[str, Any]:
    paths = {"programs": host_paths.DRILL_PROGRAMS, **directories}
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [*nodes]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    return {
        "containers": [container],
        "volumes": [
            {"name": name, "hostPath": {"path": path, "type": "DirectoryOrCreate"}} for name, path in paths.items()
        ],
        "affinity": {"nodeAffinity": required},
        "tolerations": [{"operator": "Exists"}],
        "terminationGracePeriodSeconds": 5,
    }


def persistent_volume(namespace: str, claim: str) -> Made:
    """A volume for one claim, which one node can have at a time."""
    name = f"{namespace}-{claim}"
    spec = {
        "capacity": {"storage": "1Mi"},
        "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": "",
        "csi": {"driver": DRIVER, "volumeHandle": name},
        "claimRef": {"namespace": namespace, "name": claim},
    }
    return f"{CORE}/persistentvolumes", _object("v1", "PersistentVolume", name, spec=spec)
