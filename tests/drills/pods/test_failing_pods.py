"""What `container-fails` takes for the outcome of each policy."""

import pytest
from fake_api import FakeApi

from haplane.drills.pods import failing_pods
from haplane.drills.pods.container_cases import CASES, FAILED_CODE, FAILS, LABEL, STAYS
from haplane.drills.pods.failing_pods import FailingPods
from haplane.drills.probing.client import Reply
from haplane.errors import HaplaneError

RUNNING, ENDED = {"running": {}}, {"terminated": {"exitCode": FAILED_CODE}}
UNTOUCHED = {"name": STAYS, "containerID": "containerd://s1", "restartCount": 0, "state": RUNNING}
RESTARTED = {"name": FAILS, "containerID": "containerd://f2", "restartCount": 1, "state": ENDED}
FAILED = {"name": FAILS, "containerID": "containerd://f1", "restartCount": 0, "state": ENDED}
STOPPED = {"name": STAYS, "containerID": "containerd://s1", "restartCount": 0, "state": ENDED}
ANEW = {"name": STAYS, "containerID": "containerd://s2", "restartCount": 0, "state": RUNNING}
ALONE, RUNS_ON, ALL_END = (
    ("Running", RESTARTED, UNTOUCHED),
    ("Running", FAILED, UNTOUCHED),
    ("Failed", FAILED, STOPPED),
)
DOCUMENTED = {
    "always": ALONE,
    "never": RUNS_ON,
    "deadline": ALL_END,
    "job-on-failure": ALONE,
    "job-policy": RUNS_ON,
    "job-sidecar": ALL_END,
    "sidecar": ALONE,
    "rule-restart": ALONE,
    "rule-restart-all": ("Running", RESTARTED, ANEW),
}


def shown(name, phase, *containers):
    return {
        "metadata": {"name": name, "labels": {LABEL: name}},
        "status": {"phase": phase, "containerStatuses": list(containers)},
    }


@pytest.fixture
def made(monkeypatch):
    monkeypatch.setattr(failing_pods, "OUTCOME_SECONDS", 0.3)
    monkeypatch.setattr(failing_pods, "POLL_SECONDS", 0.01)
    api = FakeApi()
    return api, FailingPods(api, "m1")


def run(made, moments, *, failed_jobs=("job-sidecar",)):
    """The figures, by case, when the pods are shown as in each of the moments, then as in the last."""
    api, pods = made
    listed = iter(moments)
    last = moments[-1]
    condition = {"type": "Failed", "status": "True"}
    jobs = [{"metadata": {"name": name}, "status": {"conditions": [condition]}} for name in failed_jobs]
    pods._list = lambda collection: jobs if collection == "jobs" else next(listed, last)
    pods.work()
    pods.clean_up()
    assert api.deleted[-1].endswith(pods._namespace)
    return dict(zip((case.name for case in CASES), pods.figures(), strict=True))


def all_as(moments):
    return [shown(name, *moment) for name, moment in moments.items()]


def test_every_policy_with_its_documented_outcome_holds(made):
    begun = {name: ("Running", FAILED, UNTOUCHED) for name in DOCUMENTED}
    figures = run(made, [all_as(begun), all_as(DOCUMENTED)])
    assert {name: figure.held for name, figure in figures.items()} == dict.fromkeys(DOCUMENTED, True)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_another_outcome_does_not(made, name):
    other = ALL_END if DOCUMENTED[name] != ALL_END else RUNS_ON
    figures = run(made, [all_as(DOCUMENTED | {name: other})])
    assert not figures[name].held
    assert figures[name].shown == "never"


def test_what_runs_on_has_to_run_on_until_the_end(made):
    figures = run(made, [all_as(DOCUMENTED), all_as(DOCUMENTED | {"never": ALL_END, "rule-restart": RUNS_ON})])
    assert not figures["never"].held


def test_a_job_that_failed_although_a_container_runs_is_not_as_documented(made):
    figures = run(made, [all_as(DOCUMENTED)], failed_jobs=("job-sidecar", "job-policy"))
    assert not figures["job-policy"].held


@pytest.mark.parametrize("how", ["drops the field", "refuses the action"])
def test_rules_that_the_api_server_does_not_know_are_left_out_and_said(made, how):
    api, _ = made
    if how == "drops the field":
        keep = api._post

        def dropping(path, body):
            for one in body.get("spec", {}).get("containers", ()):
                one.pop("restartPolicyRules", None)
            return keep(path, body)

        api._post = dropping
    else:
        api.refuses = {
            name: "spec.containers[1].restartPolicy: Forbidden" for name in ("rule-restart", "rule-restart-all")
        }
    known = {name: moment for name, moment in DOCUMENTED.items() if not name.startswith("rule")}
    figures = run(made, [all_as(known)])
    for name in ("rule-restart", "rule-restart-all"):
        assert figures[name].held
        assert figures[name].shown.startswith("left out")
    assert figures["always"].held


def test_what_every_api_server_knows_and_this_one_refuses_is_an_error(made):
    api, pods = made
    api.refuses = {"always": "admission webhook denied"}
    with pytest.raises(HaplaneError, match="webhook"):
        pods.work()
    pods.clean_up()
    assert api.deleted


def test_the_first_pod_waits_for_the_account_that_pods_need(made, monkeypatch):
    """On a busy cluster the controller that makes it is late: the API server refused the first pod (403)."""
    api, pods = made
    asked, get = [], api.request

    def request(method, path, body=None, **more):
        if path.endswith("/serviceaccounts/default"):
            asked.append(any("/pods/" in one for one in api.objects))
            return Reply(404 if len(asked) < 3 else 200, b"{}")
        return get(method, path, body, **more)

    monkeypatch.setattr(api, "request", request)
    run(made, [all_as(DOCUMENTED)])
    assert asked == [False, False, False]


def test_only_the_failing_container_runs_coredns():
    images = {"pause": "pause:1", "coredns": "coredns:1"}
    for case in CASES:
        _, body = case.body(images)
        spec = body["spec"] if body["kind"] == "Pod" else body["spec"]["template"]["spec"]
        for one in [*spec.get("initContainers", ()), *spec["containers"]]:
            assert one["image"] == ("coredns:1" if "args" in one else "pause:1")
            assert one["name"] == FAILS or "args" not in one
