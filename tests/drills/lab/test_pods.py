"""What runs on the cluster: pods that talk, names that resolve, and services that answer."""

import pytest

pytestmark = pytest.mark.lab

PROMISES = (
    "A pod reaches the pods of all nodes from its own address",
    "A pod reaches a service at its cluster address",
    "A pod resolves the names of services",
)


KUBE_PROXY_STARTS_ANEW = """
pkill -x kube-proxy
timeout 60 sh -c 'until pgrep -x kube-proxy; do sleep 1; done'
sleep 5  # for what it does with the rules that it finds
"""


def test_pods_on_different_masters_talk_and_names_and_services_answer(lab):
    for master in lab.masters:
        assert lab.run(master, KUBE_PROXY_STARTS_ANEW).returncode == 0
    checks = lab.verify("--with-pods")
    for promise in PROMISES:
        outcomes = {check["host"]: check["outcome"] for check in checks if check["check"] == promise}
        assert outcomes == dict.fromkeys(lab.masters, "passed")
