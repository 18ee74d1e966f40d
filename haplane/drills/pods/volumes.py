"""Brings a driver of volumes that are really attached to a cluster for one drill, and takes it away again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from haplane.bundle.command import build_for
from haplane.bundle.manifest import BundleFile, bundle_directory, load_manifest
from haplane.config.model import Inventory
from haplane.domain import host_paths
from haplane.drills.drill import DrillContext
from haplane.drills.pods.pod_kinds import is_ready
from haplane.drills.pods.volume_objects import (
    DRIVER,
    LABELLED,
    STORAGE,
    WHOLE,
    cluster_objects,
    driver_objects,
    persistent_volume,
)
from haplane.drills.probing.client import Client
from haplane.drills.probing.writes import (
    DRIVER_SUFFIX,
    PREFIX,
    create,
    make_namespace,
    remove_namespace,
    request_until_answered,
)
from haplane.errors import BadInput, DeadlinePassed, HaplaneError, Refused
from haplane.scripts import script
from haplane.waiting import wait_until

PROGRAMS = (host_paths.DRILL_ATTACHER, host_paths.DRILL_VOLUME_PLUGIN)
START_SECONDS = 120.0
GONE_SECONDS = 120.0
NOT_FOUND = 404
PRIVILEGED = {"pod-security.kubernetes.io/enforce": "privileged"}


def programs(inventory: Inventory) -> Sequence[BundleFile]:
    """The bundle's files for volumes. Raises BadInput or Refused with the reason where it has none."""
    cluster = inventory.cluster
    manifest = load_manifest(bundle_directory(cluster.bundle, cluster.kubernetes_version), build_for(inventory))
    found = [file for file in manifest.files if file.path in PROGRAMS]
    if len(found) == len(PROGRAMS):
        return found
    if manifest.source == "official":
        raise Refused("nobody publishes csi-attacher as a file, so a bundle from the official source has none")
    raise Refused(f"this bundle is older than the drills with volumes; `{build_for(inventory)}` completes it")


def why_none(inventory: Inventory) -> str:
    """Why there can be no volumes, in a sentence's part; empty where there can."""
    try:
        programs(inventory)
    except (BadInput, Refused) as reason:
        return reason.what
    return ""


class Volumes:
    """The driver for one drill about ``node``, for the claims of the namespace ``users``."""

    def __init__(self, context: DrillContext, client: Client, node: str, users: str) -> None:
        self._context = context
        self._client = client
        self._nodes = context.inventory.nodes
        self._node_names = [host.name for host in self._nodes]
        self._survivor = next(host for host in context.inventory.masters if host.name != node)
        self._users = users
        self._namespace = f"{users}{DRIVER_SUFFIX}"
        self._made = False

    def start(self, image: str, claims: Sequence[str]) -> None:
        """Push the programs, run the driver on every node, and make a volume for each claim."""
        self._made = True
        self._remove_left()
        self._push()
        make_namespace(self._client, self._namespace, PRIVILEGED)
        address, port = str(self._survivor.address), self._context.inventory.cluster.apiserver_port
        for path, body in (
            *cluster_objects(self._namespace),
            *driver_objects(self._namespace, image, self._node_names, (self._survivor.name, address, port)),
            *(persistent_volume(self._users, claim) for claim in claims),
        ):
            create(self._client, path, body)
        wait_until(self._is_everywhere, START_SECONDS, "the drill's volume driver runs on every node", every=1.0)

    def clean_up(self) -> None:
        """Once the namespace of the claims is gone: before that, the driver still has to unmount."""
        if not self._made:
            return
        self._wait_until_gone(self._users)
        remove_namespace(self._client, self._namespace)
        self._wait_until_gone(self._namespace)
        self._remove_cluster_objects()
        for host in self._nodes:
            try:
                self._context.executor.run(host, "sh", "-c", script("remove_drill_volumes", driver=DRIVER))
            except HaplaneError as error:  # the others are tidied all the same
                self._context.progress(host.name, f"{host_paths.DRILL_PROGRAMS} may be left there: {error.what}")

    def _remove_left(self) -> None:
        """What a drill that was killed left: two drivers of one name would take each other's sockets away."""
        namespaces = request_until_answered(self._client, "GET", "/api/v1/namespaces").document()["items"]
        for name in (str(one["metadata"]["name"]) for one in namespaces):
            if name.startswith(PREFIX) and name.endswith(DRIVER_SUFFIX):
                self._wait_until_gone(name.removesuffix(DRIVER_SUFFIX))
                remove_namespace(self._client, name)
                self._wait_until_gone(name)
        self._remove_cluster_objects()

    def _push(self) -> None:
        inventory = self._context.inventory
        bundle = bundle_directory(inventory.cluster.bundle, inventory.cluster.kubernetes_version)
        files = programs(inventory)
        pushes = [self._context.executor.push(host, bundle, files) for host in self._nodes]
        for push in pushes:
            push.wait()

    def _is_everywhere(self) -> bool:
        """Every kubelet has registered the driver, and external-attacher runs."""
        nodes = request_until_answered(self._client, "GET", f"{STORAGE}/csinodes").document()["items"]
        having = {
            one["metadata"]["name"]
            for one in nodes
            if any(driver["name"] == DRIVER for driver in one["spec"].get("drivers") or ())
        }
        path = f"/api/v1/namespaces/{self._namespace}/pods/attacher"
        attacher = request_until_answered(self._client, "GET", path).document()
        return having >= {*self._node_names} and is_ready(attacher)

    def _remove_cluster_objects(self) -> None:
        for path in WHOLE:
            request_until_answered(self._client, "DELETE", f"{path}?{LABELLED}")
        self._wait(lambda: not self._volumes_left(), "the drill's volumes are gone")

    def _volumes_left(self) -> bool:
        path = f"{WHOLE[-1]}?{LABELLED}"
        return bool(request_until_answered(self._client, "GET", path).document()["items"])

    def _wait_until_gone(self, namespace: str) -> None:
        path = f"/api/v1/namespaces/{namespace}"
        self._wait(lambda: self._is_gone(path), f"the namespace {namespace} is gone")

    def _is_gone(self, path: str) -> bool:
        return request_until_answered(self._client, "GET", path).status == NOT_FOUND

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        try:
            wait_until(condition, GONE_SECONDS, what, every=1.0)
        except DeadlinePassed as late:  # what can be removed is removed all the same
            self._context.progress(self._users, late.what)
