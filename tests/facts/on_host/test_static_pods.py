"""Containers while containerd makes them; tests/operations/test_control_plane.py has the others."""

import json

import pytest

from haplane.facts.on_host import static_pods

CONTAINER = "a" * 64
ANNOTATIONS = {
    "io.kubernetes.cri.container-type": "container",
    "io.kubernetes.cri.container-name": "kube-scheduler",
    "io.kubernetes.cri.sandbox-namespace": "kube-system",
    "io.kubernetes.cri.sandbox-name": "kube-scheduler-m1",
}


@pytest.mark.parametrize("begun", [None, "", '{"annotations": {"io.kube'])
def test_a_container_that_is_looked_at_while_it_is_made_is_found_once_it_runs(tmp_path, monkeypatch, begun):
    """On the lab `up` waited 90 s for a controller manager that ran: it had seen it too early."""
    monkeypatch.setattr(static_pods, "TASKS", str(tmp_path))
    monkeypatch.setattr(static_pods, "main_process", lambda *_, **__: 7)
    bundle = tmp_path / CONTAINER
    bundle.mkdir()
    if begun is not None:
        (bundle / "config.json").write_text(begun)
    assert static_pods.system_pod_processes("kube-scheduler") == []
    (bundle / "config.json").write_text(json.dumps({"annotations": ANNOTATIONS}))
    assert static_pods.system_pod_processes("kube-scheduler") == [7]
