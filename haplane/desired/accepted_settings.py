"""Settings of kubelets and kube-proxies, tried by the programs that will read them, before any host is contacted."""

from __future__ import annotations

import json
from pathlib import Path

from haplane.bundle.configuration_trial import Trial, refusals_of
from haplane.bundle.manifest import Manifest
from haplane.config.model import Inventory
from haplane.desired.files import kube_proxy_configuration, kubeadm_configuration, kubelet_configuration
from haplane.errors import BadInput, Problems

SETTINGS = {
    "KubeletConfiguration": "kubelet",
    "KubeProxyConfiguration": "kube_proxy",
    "kubelet": "kubelet",
    "kube-proxy": "kube_proxy",
}
"""In ``tuning``, by the kind of the document or the program that reads it."""


def refuse_unusable_settings(inventory: Inventory, bundle: Path, manifest: Manifest) -> None:
    """Raises Problems: names and types of fields are known to kubeadm, their values to the component itself."""
    tuning = inventory.cluster.tuning
    trials = []
    if tuning.kubelet or tuning.kube_proxy:
        trials.append(Trial("kubeadm", kubeadm_configuration(inventory, inventory.masters[0])))
    if tuning.kubelet:
        trials.append(Trial("kubelet", json.dumps(kubelet_configuration(inventory))))
    if tuning.kube_proxy:
        trials.append(Trial("kube-proxy", json.dumps(kube_proxy_configuration(inventory))))
    found: dict[str, BadInput] = {}
    for one in refusals_of(bundle, manifest, trials):
        setting = SETTINGS.get(one.document or one.program)
        field = f'cluster["tuning"]["{setting}"]' if setting else "cluster"
        found.setdefault(
            field,
            BadInput(
                f"{one.program} {manifest.kubernetes_version} does not take these settings",
                where=f"{inventory.path}: {field}",
                why=one.why,
                next_step="correct or remove what it names",
            ),
        )
    if found:
        what = f"{inventory.path} has settings that no component takes; no host was contacted"
        raise Problems(what, list(found.values()))
