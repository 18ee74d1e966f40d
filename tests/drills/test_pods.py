from haplane.drills.pods import KINDS, LABEL, Fate, is_ready, note, objects


def pod(kind, uid, *, ready=True, deleted=False):
    metadata = {"uid": uid, "labels": {LABEL: kind}, **({"deletionTimestamp": "now"} if deleted else {})}
    return {"metadata": metadata, "status": {"conditions": [{"type": "Ready", "status": str(ready)}]}}


def test_each_kind_has_one_pod_that_prefers_the_node_and_may_run_on_masters():
    made = dict(objects("pause:1", "m2"))
    assert list(made) == ["deployments", "statefulsets", "jobs", "daemonsets", "pods"]
    for body in made.values():
        spec = body["spec"] if body["kind"] == "Pod" else body["spec"]["template"]["spec"]
        assert "m2" in str(spec["affinity"])
        assert "control-plane" in str(spec["tolerations"])
        assert spec["containers"] == [{"name": "pause", "image": "pause:1"}]
        assert body["kind"] in KINDS


def test_a_pod_is_deleted_then_gone_and_another_one_serves():
    first = {"Deployment": "a"}
    fates = {"Deployment": Fate()}
    note(fates, [pod("Deployment", "a", ready=False)], first, 40.0)
    assert fates["Deployment"] == Fate()
    note(fates, [pod("Deployment", "a", deleted=True), pod("Deployment", "b", ready=False)], first, 50.0)
    note(fates, [pod("Deployment", "a", deleted=True), pod("Deployment", "b")], first, 53.0)
    note(fates, [pod("Deployment", "b")], first, 70.0)
    assert fates["Deployment"] == Fate(deleted=50.0, gone=70.0, serving=53.0)


def test_the_first_pod_counts_as_serving_never():
    fates = {"StatefulSet": Fate()}
    note(fates, [pod("StatefulSet", "a")], {"StatefulSet": "a"}, 10.0)
    assert fates["StatefulSet"].serving is None
    assert not is_ready({"metadata": {}})
