"""What runs on the cluster: pods that talk, names that resolve, and a worker that joins."""

import json

import pytest

pytestmark = pytest.mark.lab


def test_pods_on_different_masters_talk_and_names_and_services_answer(stage):
    found = json.loads(stage.haplane("verify", "inventories/lab.py", "--with-pods", "--json"))
    pods = [check for check in found["checks"] if check["group"] == "pods"]
    assert {check["outcome"] for check in pods} == {"passed"}
    for subject in ("network", "service", "dns"):
        assert any(subject in check["check"].lower() for check in pods), subject
