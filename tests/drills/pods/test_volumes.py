"""The driver of the drills' volumes: where its programs are from, and that nothing of it stays."""

import pytest
import samples
from contexts import FakeExecutor, drill_context
from fake_api import FakeApi

from haplane.bundle.manifest import BundleFile
from haplane.domain import host_paths
from haplane.drills.pods import volumes
from haplane.drills.pods.pod_kinds import CLAIMS, WITH_VOLUME, objects
from haplane.drills.pods.volume_objects import DRIVER, persistent_volume
from haplane.drills.pods.volumes import Volumes, why_none
from haplane.drills.probing.writes import remove_left_namespaces
from haplane.errors import Unreachable

NODES = ("m1", "m2", "m3", "w1")
INVENTORY = samples.inventory(workers=1)


def programs():
    return tuple(
        BundleFile(
            component="external-attacher", path=path, sha256="0" * 64, size=1, mode=0o755, stored=f"files{path}",
            stored_size=1, compression="none", roles=(),
        )
        for path in volumes.PROGRAMS
    )  # fmt: skip


@pytest.fixture
def cluster(monkeypatch):
    """An API server with a driver that every kubelet has registered, and what was done to which host."""
    api, done = FakeApi(), []

    class Pushed:
        def __init__(self, host, _bundle, files):
            done.append((host.name, "push", len(files)))

        def wait(self):
            pass

    monkeypatch.setattr(
        volumes, "load_manifest", lambda *_: samples.manifest().model_copy(update={"files": programs()})
    )
    executor = FakeExecutor()
    executor.push = Pushed
    executor.run = lambda host, *words: done.append((host.name, "run", words[-1]))
    monkeypatch.setattr(volumes, "GONE_SECONDS", 0.1)
    monkeypatch.setattr(volumes, "START_SECONDS", 0.1)
    nodes = [{"metadata": {"name": name}, "spec": {"drivers": [{"name": DRIVER}]}} for name in NODES]
    api.listed["/apis/storage.k8s.io/v1/csinodes"] = nodes
    context = drill_context(INVENTORY, executor=executor)
    return Volumes(context, api, "m2", "haplane-drill-a"), api, done


def started(cluster):
    driver, api, done = cluster
    ready = {"metadata": {"name": "attacher"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    post = api._post
    api._post = lambda path, body: post(path, {**body, **ready} if body["metadata"]["name"] == "attacher" else body)
    driver.start("pause:1", list(CLAIMS.values()))
    return driver, api, done


def test_every_node_gets_the_programs_and_the_attacher_runs_on_one_that_survives(cluster):
    _, api, done = started(cluster)
    assert done == [(name, "push", 2) for name in NODES]
    below = "/api/v1/namespaces/haplane-drill-a-volumes"
    attacher = api.objects[f"{below}/pods/attacher"]
    assert attacher["metadata"]["name"] == "attacher"
    driver = api.objects[f"/apis/storage.k8s.io/v1/csidrivers/{DRIVER}"]
    assert driver["spec"]["attachRequired"]
    binding = api.objects["/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/haplane-drill-attacher"]
    assert binding["subjects"][0]["namespace"] == "haplane-drill-a-volumes"


def test_a_claim_asks_for_the_volume_that_is_made_for_it():
    made = dict(objects("haplane-drill-a", "pause:1", "m2", WITH_VOLUME)).values()
    claims = [body["spec"] for body in made if body["kind"] == "PersistentVolumeClaim"]
    claims += [one["spec"] for body in made for one in body["spec"].get("volumeClaimTemplates", ())]
    volumes_made = [persistent_volume("haplane-drill-a", claim)[1] for claim in CLAIMS.values()]
    assert [one["volumeName"] for one in claims] == [one["metadata"]["name"] for one in volumes_made]
    assert {tuple(one["accessModes"]) for one in claims} == {("ReadWriteOnce",)}
    assert {one["spec"]["claimRef"]["name"] for one in volumes_made} == {
        "on-deployment-rwo",
        "data-on-statefulset-rwo-0",
    }


def test_nothing_of_it_stays_also_where_one_host_cannot_be_reached(cluster):
    driver, api, _ = started(cluster)
    tidied = []

    def run(host, *words):
        if host.name == "m2":
            raise Unreachable("m2 cannot be reached")
        tidied.append((host.name, words[-1]))

    driver._context.executor.run = run
    api.deleted.clear()
    driver.clean_up()
    assert api.deleted == ["/api/v1/namespaces/haplane-drill-a-volumes", *volumes.WHOLE]
    assert [name for name, _ in tidied] == ["m1", "m3", "w1"]
    assert all(host_paths.DRILL_PROGRAMS in text and DRIVER in text for _, text in tidied)


def test_a_driver_that_was_never_started_is_not_removed(cluster):
    driver, api, done = cluster
    driver.clean_up()
    assert (api.deleted, done) == ([], [])


def test_another_drivers_namespace_goes_before_this_one_comes(cluster):
    """Both would listen on the same sockets, and the older one takes them away when it ends."""
    _, api, _ = cluster
    api.listed["/api/v1/namespaces"] = [
        {"metadata": {"name": name}} for name in ("haplane-drill-b-volumes", "others")
    ]
    started(cluster)
    assert api.deleted[0] == "/api/v1/namespaces/haplane-drill-b-volumes"
    assert len([path for path in api.deleted if path.startswith("/api/v1/namespaces")]) == 1


def test_a_left_driver_stays_as_long_as_it_has_to_unmount():
    api = FakeApi()
    left = ["haplane-drill-a", "haplane-drill-a-volumes", "haplane-drill-b-volumes", "other"]
    api.listed["/api/v1/namespaces"] = [{"metadata": {"name": name}} for name in left]
    remove_left_namespaces(api)
    assert api.deleted == ["/api/v1/namespaces/haplane-drill-a", "/api/v1/namespaces/haplane-drill-b-volumes"]


@pytest.mark.parametrize(
    ("source", "files", "reason"),
    [
        ("official", (), "official source has none"),
        ("modules", (), f"`haplane bundle build {INVENTORY.path}` completes it"),
        ("modules", programs()[:1], f"`haplane bundle build {INVENTORY.path}` completes it"),
        ("modules", programs(), ""),
    ],
)
def test_a_bundle_without_the_programs_is_a_reason(monkeypatch, source, files, reason):
    manifest = samples.manifest().model_copy(update={"source": source, "files": files})
    monkeypatch.setattr(volumes, "load_manifest", lambda *_: manifest)
    assert why_none(INVENTORY).endswith(reason)
    assert bool(why_none(INVENTORY)) == bool(reason)


def test_no_bundle_is_a_reason_too(tmp_path):
    assert why_none(samples.inventory(bundle=str(tmp_path / "none"))) == "there is no bundle here"
