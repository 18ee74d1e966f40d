"""What haplane applies through the API, once for the whole cluster."""

from __future__ import annotations

import json

from haplane.bundle.manifest import Manifest
from haplane.config.model import Inventory
from haplane.errors import HaplaneError
from haplane.render import render

COREDNS_PATCH = json.dumps(
    {
        "spec": {
            "template": {
                "spec": {
                    "topologySpreadConstraints": [
                        {
                            "maxSkew": 1,
                            "topologyKey": "kubernetes.io/hostname",
                            "whenUnsatisfiable": "DoNotSchedule",
                            "labelSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
                            "matchLabelKeys": ["pod-template-hash"],
                        }
                    ],
                    "containers": [{"name": "coredns", "readinessProbe": {"periodSeconds": 2}}],
                }
            }
        }
    }
)
"""kubeadm only prefers to spread CoreDNS: started before the other masters are Ready, both would land on one.

Its readiness is asked every 2 s instead of 10, so that DNS is there, and gone, as fast as it really is.
"""


def cluster_manifest(inventory: Inventory, manifest: Manifest, own: str | None = None) -> str:
    """The pod network: flannel, or the user's own manifest, which is ``own``."""
    if inventory.cluster.pod_network_manifest is None:
        return render(
            "flannel.yaml.j2",
            pod_network=str(inventory.cluster.pod_network),
            backend=inventory.cluster.flannel_backend,
            cni_configuration=render("flannel.conflist.j2").rstrip(),
            image=manifest.reference("flannel"),
            command="/opt/bin/flanneld",
            endpoint=inventory.cluster.endpoint,
        )
    if own is None:
        raise HaplaneError("internal error: the pod network's manifest was not read", next_step="please report it")
    return own
