"""A cluster in memory that is upgraded: what runs follows from the files that were switched, as on real hosts."""

import json
from copy import deepcopy
from functools import cache, cached_property
from hashlib import sha256
from types import SimpleNamespace

import samples
from fake_cluster import ETCD_CA, FakeCluster, converged

from haplane.bundle.manifest import Manifest
from haplane.desired.files import kubeadm_configuration
from haplane.desired.hosts import cluster_wants
from haplane.domain import host_paths
from haplane.domain.plan import MASTER_EVIDENCE
from haplane.domain.steps.nodes import WORKER_EVIDENCE
from haplane.domain.versions import parse
from haplane.errors import HaplaneError

ETCD = {"1.34.1": "3.6.16", "1.35.4": "3.6.16", "1.36.3": "3.6.16", "1.36.4": "3.6.16", "1.37.2": "3.7.3"}
NEVER_AT_ONCE = "the skew policy"


def number_of(version):
    return parse(version).minor * 100 + parse(version).patch


def manifest_of(version):
    """A bundle whose every file is another one."""
    return _manifest_of(version, ETCD[version])


@cache
def _manifest_of(version, etcd_version):
    document = samples.manifest().model_dump(mode="json")
    digest = f"{number_of(version):064x}"
    for file in (*document["files"], *(image["file"] for image in document["images"])):
        etcd = "/etcd" in file["path"]
        file["sha256"] = f"{etcd_version.replace('.', ''):0>64}" if etcd else digest
    for image in document["images"]:
        image["reference"] = f"{image['reference'].rpartition(':')[0]}:v{version}"
    return Manifest.model_validate(document | {"kubernetes_version": version, "etcd_version": etcd_version})


def write_bundle(directory, version):
    """On the disk, as small as it can be."""
    directory.mkdir(parents=True)
    directory.chmod(0o700)
    manifest = manifest_of(version)
    (directory / "manifest.json").write_text(manifest.model_dump_json())
    for file in manifest.everything():
        (directory / file.stored).write_bytes(b"x")


def with_version(inventory, version):
    return inventory.model_copy(
        update={"cluster": inventory.cluster.model_copy(update={"kubernetes_version": version})}
    )


class UpgradedCluster(FakeCluster):
    """Runs ``version`` at first. ``broken``: (host, version) of API servers that do not become ready."""

    def __init__(self, inventory, version="1.35.4", broken=()):
        began = with_version(inventory, version)
        reports = converged(began)
        manifest = manifest_of(version)
        for host in began.hosts:
            report = reports[host.name]
            wanted = manifest.needed_by(began.roles(host))
            report["bundle"] = {file.path: file.sha256 for file in wanted}
            report["images"] = [one.reference for one in manifest.images if set(one.roles) & set(began.roles(host))]
            if host in began.masters:
                report["settings"] = report["settings"] | {"apiserver_version": version}
                report["kubernetes"] = deepcopy(report["kubernetes"])
                report["kubernetes"]["applied"] = cluster_wants(began, manifest).applied
            if host in began.etcd:
                report["etcd"] = deepcopy(report["etcd"])
                report["etcd"]["status"] |= {"version": ETCD[version], "storageVersion": "3.6.0"}
        super().__init__(inventory, now=reports, wanted=deepcopy(reports))
        self.broken, self.broken_members = set(broken), set()
        self.staged_files = {host.name: {} for host in inventory.hosts}
        self.kubelets = {host.name: version for host in inventory.nodes}
        self.history = []
        self.master_names = {host.name for host in inventory.masters}

    @cached_property
    def version_of(self):
        """By digest of a master's kubeadm configuration."""
        texts = {
            kubeadm_configuration(with_version(self.inventory, one), host): one
            for host in self.inventory.masters for one in ETCD
        }  # fmt: skip
        return {sha256(text.encode()).hexdigest(): version for text, version in texts.items()}

    def _joined(self):
        return [node | {"kubelet_version": f"v{self.kubelets[node['name']]}"} for node in super()._joined()]

    def run(self, host, *command, deadline_seconds=60):
        return json.dumps([]).encode() if "deprecated_apis" in " ".join(command) else super().run(host, *command)

    def push(self, host, bundle, files, here=None):
        def arrive():
            report = self.now_reported[host.name]
            for file in files:
                report["bundle"][file.path] = file.sha256
                if file.path.startswith(host_paths.VERSIONS):
                    staged = file.path.removeprefix(host_paths.VERSIONS).split("/")[1]
                    report["leftovers"] = report["leftovers"] | {"staged": [staged]}
            manifest = json.loads((bundle / "manifest.json").read_text())
            arrived = {file.path for file in files}
            report["images"] = sorted(
                {
                    *report["images"],
                    *(here or {}).values(),
                    *(one["reference"] for one in manifest["images"] if one["file"]["path"] in arrived),
                }
            )

        return SimpleNamespace(host=host, wait=arrive)

    def _prepare_host(self, name, arguments):
        report, wanted = self.now_reported[name], self.wanted[name]["certificates"]
        report["certificates"] |= {path: wanted[path] for path in ETCD_CA if path in wanted}
        for file in arguments["files_of"][name]:
            self.now_reported[name]["files"][file.path] = {"sha256": file.sha256, "mode": file.mode, "user_id": 0}

    def _start_runtime(self, name, arguments):
        self.units(name, "containerd")

    def _initialise_master(self, name, arguments):
        super()._initialise_master(name, arguments)
        report = self.now_reported[name]
        report["files"] |= {path: self.wanted[name]["files"][path] for path in MASTER_EVIDENCE}
        version = self.version_of[report["files"][host_paths.KUBEADM_CONFIG_YAML]["sha256"]]
        report["settings"] = report["settings"] | {"apiserver_version": version}
        others = [one for one in self._serving() if one != name]
        report["kubernetes"] = deepcopy(self.now_reported[others[0]]["kubernetes"])
        self.history.append(("control plane", name, version))
        self._run_kubelet(name)

    def _join_worker(self, name, arguments):
        super()._join_worker(name, arguments)
        wanted = self.wanted[name]["files"]
        self.now_reported[name]["files"] |= {path: wanted[path] for path in WORKER_EVIDENCE}
        self._run_kubelet(name)

    def _clear_alarms(self, name, arguments):
        for host in self.inventory.etcd:
            self.now_reported[host.name]["etcd"]["status"]["errors"] = []

    def _stage_files(self, name, arguments):
        self.staged_files[name] |= {file.path: file for file in arguments["staged"]}

    def _switch_files(self, name, arguments):
        report, new, old = self.now_reported[name], arguments["new"], arguments["old"]
        for path in arguments["paths"]:
            if file := self.staged_files[name].get(new + path):
                self.staged_files[name][old + path] = report["files"].get(path)
                report["files"][path] = {"sha256": file.sha256, "mode": file.mode, "user_id": 0}
            else:
                report["bundle"][old + path] = report["bundle"][path]
                report["bundle"][path] = report["bundle"][new + path]

    def _switch_back(self, name, arguments):
        report, old = self.now_reported[name], arguments["old"]
        for path in arguments["paths"]:
            if kept := self.staged_files[name].get(old + path):
                report["files"][path] = kept
            elif old + path in report["bundle"]:
                report["bundle"][path] = report["bundle"][old + path]

    def _take_out_control_plane(self, name, arguments):
        super()._take_out_control_plane(name, arguments)
        self._move(name, host_paths.MOVED_MANIFESTS)

    def _put_back_control_plane(self, name, arguments):
        super()._put_back_control_plane(name, arguments)
        self._move(name, {moved: path for path, moved in host_paths.MOVED_MANIFESTS.items()})

    def _move(self, name, places):
        files = self.now_reported[name]["files"]
        files |= {target: files.pop(source) for source, target in places.items() if source in files}

    def _restart_control_plane(self, name, arguments):
        report = self.now_reported[name]
        self._move(name, {moved: path for path, moved in host_paths.MOVED_MANIFESTS.items()})
        others = [host.name for host in self.inventory.masters if host.name != name]
        assert not others or any(self.now_reported[one]["apiserver"]["ready"] for one in others)
        version = self.version_of[report["files"][host_paths.KUBEADM_CONFIG_YAML]["sha256"]]
        self.history.append(("control plane", name, version))
        report["settings"]["apiserver_version"] = version
        report["apiserver"] = {"ready": (name, version) not in self.broken}
        self._check_skew()
        if not report["apiserver"]["ready"]:
            raise HaplaneError("Wait until the API server is ready: failed", why="it exits")

    def _restart_etcd(self, name, arguments):
        if len(self.inventory.etcd) > 1:
            super()._restart_etcd(name, arguments)
        report = self.now_reported[name]
        digest = report["bundle"]["/usr/local/bin/etcd"]
        version = next(one for one in ETCD.values() if f"{one.replace('.', ''):0>64}" == digest)
        self.history.append(("etcd", name, version))
        statuses = [self.now_reported[host.name]["etcd"]["status"] for host in self.inventory.etcd]
        if any(parse(version)[:2] < parse(one["storageVersion"])[:2] for one in statuses):
            report["etcd"] = report["etcd"] | {"reads_through_quorum": False}
            raise HaplaneError(
                "Restart etcd: failed", why="invalid downgrade; server version is lower than determined"
            )
        report["etcd"]["status"]["version"] = version
        lowest = min(parse(one["version"]) for one in statuses)
        for one in statuses:  # etcd raises the version of the cluster by itself
            one["storageVersion"] = f"{lowest.major}.{lowest.minor}.0"
        if (name, version) in self.broken_members:
            raise HaplaneError("Wait until it reads through quorum: failed", why="it exits")

    def take(self, name, *fields):
        super().take(name, *(field for field in fields if field != "files"))

    def _write_kubelet_config(self, name, arguments):
        report = self.now_reported[name]
        assert name not in self.master_names or report["apiserver"]["ready"], "kubeadm asks the API server beside it"

    def _run_kubelet(self, name):
        number = int(self.now_reported[name]["bundle"]["/usr/local/bin/kubelet"], 16)
        self.kubelets[name] = next(version for version in ETCD if number_of(version) == number)

    def _restart_node(self, name, arguments):
        self._run_kubelet(name)
        assert not self.now_reported[name].get("apiserver", {}).get("ready"), "a new kubelet starts static pods anew"
        self.history.append(("node", name, self.kubelets[name]))
        self._check_skew()

    def _apply_cluster(self, name, arguments):
        for master in self._serving():
            self.now_reported[master]["kubernetes"]["applied"] = arguments["applied"]
        self.history.append(("cluster", name, ""))

    def _remove_staged(self, name, arguments):
        report = self.now_reported[name]
        report["bundle"] = {
            path: digest for path, digest in report["bundle"].items() if not path.startswith(host_paths.VERSIONS)
        }
        report["leftovers"] = report["leftovers"] | {"staged": []}
        self.staged_files[name] = {}

    def _check_skew(self):
        apiservers = [
            parse(self.now_reported[host.name]["settings"]["apiserver_version"]) for host in self.inventory.masters
        ]
        assert max(apiservers).minor - min(apiservers).minor <= 1, NEVER_AT_ONCE
        beside = dict(zip(sorted(self.master_names), apiservers, strict=True))
        for name, version in self.kubelets.items():
            used = beside.get(name, min(apiservers))
            assert parse(version)[:2] <= used[:2], "a kubelet is newer than an API server that it uses"
            assert max(apiservers).minor - parse(version).minor <= 3

    @property
    def versions(self):
        """What runs, by kind."""
        masters = [self.now_reported[host.name] for host in self.inventory.masters]
        return {
            "apiservers": {report["settings"]["apiserver_version"] for report in masters},
            "etcd": {report["etcd"]["status"]["version"] for report in masters},
            "kubelets": set(self.kubelets.values()),
        }
