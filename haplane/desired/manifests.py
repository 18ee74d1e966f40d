"""What haplane applies through the API, once for the whole cluster."""

from __future__ import annotations

import json
import re
from pathlib import Path

from haplane.bundle.manifest import Manifest
from haplane.config.model import Inventory
from haplane.errors import BadInput
from haplane.render import render

OBJECT = re.compile(r"""(^|[\s{,"'])kind["']?\s*:""")
"""In YAML and in JSON."""
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


def cluster_manifest(inventory: Inventory, manifest: Manifest) -> str:
    """The pod network: flannel, or the user's own manifest. Raises BadInput when that cannot be read."""
    own = inventory.cluster.pod_network_manifest
    if own is None:
        image = manifest.reference("flannel")
        return render(
            "flannel.yaml.j2",
            pod_network=str(inventory.cluster.pod_network),
            backend=inventory.cluster.flannel_backend,
            cni_configuration=render("flannel.conflist.j2").rstrip(),
            image=image,
            command="/opt/bin/flanneld",
            endpoint=inventory.cluster.endpoint,
        )
    try:
        text = Path(own).read_text(encoding="utf-8")
        if not OBJECT.search(text):
            raise ValueError("it holds no Kubernetes object: no kind")
        return text
    except (OSError, ValueError) as error:
        raise BadInput(
            "the pod network's manifest cannot be read",
            where=f'{inventory.path}: cluster["pod_network_manifest"] = {own}',
            why=error.strerror if isinstance(error, OSError) else str(error),
            next_step="give the path of a YAML file, or leave the setting out to get flannel",
        ) from None
