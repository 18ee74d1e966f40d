"""What runs on the cluster: pods that talk, names that resolve, and services that answer."""

import pytest

pytestmark = pytest.mark.lab

PROMISES = (
    "A pod reaches the pods of all nodes from its own address",
    "A pod reaches a service at its cluster address",
    "A pod resolves the names of services",
)


def test_pods_on_different_masters_talk_and_names_and_services_answer(stage):
    checks = stage.verify("--with-pods")
    for promise in PROMISES:
        outcomes = {check["host"]: check["outcome"] for check in checks if check["check"] == promise}
        assert outcomes == dict.fromkeys(stage.masters, "passed")
