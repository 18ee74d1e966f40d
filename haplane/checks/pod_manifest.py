"""What ``--with-pods`` starts: a namespace with one CoreDNS pod per node and a service in front of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

LABEL = "haplane.io/verify"
HTTP_PORT = 8080
COREFILE = f".:5300 {{\n    errors\n    health :{HTTP_PORT}\n}}\n"


def manifest(namespace: str, image: str, nodes: Sequence[str]) -> dict[str, object]:
    """The namespace and all that is in it, fit for the ``restricted`` pod security standard."""
    labels = {LABEL: "true"}
    inside = {"namespace": namespace, "labels": labels}
    return {
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {
                    "name": namespace,
                    "labels": {**labels, "pod-security.kubernetes.io/enforce": "restricted"},
                },
            },
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "probe", **inside},
                "data": {"Corefile": COREFILE},
            },
            {
                "apiVersion": "apps/v1",
                "kind": "DaemonSet",
                "metadata": {"name": "probe", **inside},
                "spec": {
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": _pod_spec(image, nodes)},
                },
            },
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "probe", **inside},
                "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": HTTP_PORT}]},
            },
        ],
    }


def _pod_spec(image: str, nodes: Sequence[str]) -> dict[str, object]:
    on_nodes = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [name]}]} for name in nodes]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": on_nodes}}
    container = {
        "name": "probe",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "readinessProbe": {"httpGet": {"path": "/health", "port": HTTP_PORT}, "periodSeconds": 1},
        "volumeMounts": [{"name": "configuration", "mountPath": "/etc/coredns", "readOnly": True}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            # CoreDNS's official binary carries this capability as a file attribute and does not start without it.
            "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        },
    }
    return {
        "affinity": {"nodeAffinity": required},
        "tolerations": [{"operator": "Exists", "effect": "NoSchedule"}],
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "dnsPolicy": "Default",
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "configuration", "configMap": {"name": "probe"}}],
    }
