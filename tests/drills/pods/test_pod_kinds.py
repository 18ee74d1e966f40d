from fake_api import pod

from haplane.drills.pods.pod_kinds import KINDS, Fate, Seen, is_ready, note, objects


def was(uid, restarts=0):
    return Seen(uid, uid, "10.0.0.1", restarts)


def test_each_kind_has_one_pod_that_prefers_the_node_and_may_run_on_masters():
    made = dict(objects("drill", "pause:1", "m2"))
    collections = [path.removeprefix("/apis/").rpartition("/namespaces/drill/")[::2] for path in made]
    assert collections == [
        ("apps/v1", "deployments"), ("apps/v1", "statefulsets"), ("batch/v1", "jobs"), ("apps/v1", "daemonsets"),
        ("/api/v1", "pods"),
    ]  # fmt: skip
    for body in made.values():
        spec = body["spec"] if body["kind"] == "Pod" else body["spec"]["template"]["spec"]
        assert "m2" in str(spec["affinity"])
        assert "control-plane" in str(spec["tolerations"])
        (container,) = spec["containers"]
        assert container["image"] == "pause:1"
        assert [one["name"] for one in container["volumeMounts"]] == [one["name"] for one in spec["volumes"]]
        assert body["kind"] in KINDS


def test_a_pod_is_deleted_then_gone_and_another_one_serves():
    first = {"Deployment": was("a")}
    fates = {"Deployment": Fate()}
    note(fates, [pod("Deployment", "a", ready=False)], first, 40.0)
    assert fates["Deployment"] == Fate()
    note(fates, [pod("Deployment", "a", deleted=True), pod("Deployment", "b", ready=False)], first, 50.0)
    note(fates, [pod("Deployment", "a", deleted=True), pod("Deployment", "b")], first, 53.0)
    note(fates, [pod("Deployment", "b")], first, 70.0)
    assert fates["Deployment"] == Fate(deleted=50.0, gone=70.0, serving=53.0, then=was("b"))


def test_the_first_pod_counts_as_serving_once_its_container_was_started_again():
    """Until the kubelet is back, the API goes on to show a pod as it was."""
    fates = {"StatefulSet": Fate()}
    note(fates, [pod("StatefulSet", "a", restarts=2)], {"StatefulSet": was("a", restarts=2)}, 10.0)
    note(fates, [pod("StatefulSet", "a", restarts=3, ready=False)], {"StatefulSet": was("a", restarts=2)}, 11.0)
    assert fates["StatefulSet"].serving is None
    note(fates, [pod("StatefulSet", "a", restarts=3)], {"StatefulSet": was("a", restarts=2)}, 12.0)
    assert fates["StatefulSet"] == Fate(serving=12.0, then=was("a", restarts=3))
    assert not is_ready({"metadata": {}})
