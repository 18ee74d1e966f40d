"""A cluster in memory that has keys: what masters hold, what API servers use, what is sealed for snapshots."""

import json
from copy import deepcopy
from hashlib import sha256

import samples
from fake_cluster import FakeCluster, Killed, converged

from haplane.domain import host_paths
from haplane.domain.answers import AtRest
from haplane.domain.steps.snapshots import TIMER_UNIT
from haplane.pki.encryption import parse_encryption


class KeyHolders(FakeCluster):
    """``files`` are those that were written, by host; ``running`` the keys of each API server, the writing one first.

    ``stored``: keys that Secrets in etcd are encrypted with. ``sealed``: those that a snapshot taken now can be read
    with. Every API server reads what is stored, and no snapshot lacks a key of it: that is asserted at every step.
    """

    def __init__(self, inventory):
        super().__init__(inventory, converged(inventory))
        keys = samples.identity().to_files()
        self.files = {host.name: dict(keys) if host in inventory.masters else {} for host in inventory.hosts}
        self.running = {host.name: self.keys(host.name) for host in inventory.masters}
        self.stored = {key for keys in self.running.values() for key in keys}
        self.sealed, self.sealed_to, self.refuses = None, (), False
        self.commands, self.ends_at = 0, None
        for host in inventory.hosts:
            self.now_reported[host.name] = deepcopy(self.now_reported[host.name])
            self._look(host.name)

    def keys(self, name):
        content = self.files[name][host_paths.ENCRYPTION_YAML]
        return tuple(key.name for key in parse_encryption(content, name))

    def command(self):
        """Each is one that a run may die before."""
        self.commands += 1
        if self.commands == self.ends_at:
            raise Killed

    def deploy(self, hosts, recipe, **arguments):
        super().deploy(hosts, recipe, **arguments)
        self.stored |= {keys[0] for keys in self.running.values()}
        for name, keys in self.running.items():
            assert self.stored <= set(keys), f"{name} cannot read what is stored"
        assert self.sealed is None or self.stored <= self.sealed, "a snapshot taken now could not be read"

    def read_files(self, host, paths):
        return {path: self.files[host.name][path] for path in paths if path in self.files[host.name]}

    def install_agent(self, host, directory, archive):
        self.now_reported[host.name]["snapshots"]["agent"] = directory.rpartition("/")[2]

    def call_agent(self, host, command, deadline_seconds):
        return {}

    def seal(self, master, digests, recipients):
        assert {path: sha256(self.files[master.name][path]).hexdigest() for path in digests} == dict(digests)
        self.sealing = set(self.keys(master.name)), tuple(recipients)
        return json.dumps([sorted(digests.values()), sorted(recipients)]).encode()

    def secrets_at_rest(self, member, key):
        return AtRest(3, 0 if self.stored == {key} else 2, ("default/x",))

    def rewrite_secrets(self, master):
        self.command()
        if self.refuses:
            return "admission webhook denied"
        self.stored = {keys[0] for keys in self.running.values()}
        return None

    def _prepare_host(self, name, arguments):
        self._write(name, arguments["files_of"].get(name, ()))

    def _write_keys(self, name, arguments):
        self._write(name, arguments["keys"])

    def _place_sealed_keys(self, name, arguments):
        self._write(name, arguments["sealed"])
        self.sealed, self.sealed_to = self.sealing

    def _remove_staged(self, name, arguments):
        for path in [path for path in self.files[name] if path.startswith(arguments["directory"])]:
            del self.files[name][path]
            self.now_reported[name]["files"].pop(path, None)

    def _note_served(self, name, arguments):
        digest = sha256(self.files[name][host_paths.ENCRYPTION_YAML]).hexdigest()
        self.files[name][host_paths.ROTATION_SERVED] = f"{digest}\n".encode()

    def _schedule_snapshots(self, name, arguments):
        self.now_reported[name]["units"][TIMER_UNIT] = {"active": True, "enabled": True, "needs_reload": False}

    def _restart_control_plane(self, name, arguments):
        files = self.now_reported[name]["files"]
        super()._restart_control_plane(name, arguments)
        self.now_reported[name]["files"] = files
        self.running[name] = self.keys(name)
        self._look(name)

    def _write(self, name, files):
        for file in files:
            self.files[name][file.path] = file.content
            self.now_reported[name]["files"][file.path] = {"sha256": file.sha256, "mode": file.mode, "user_id": 0}
        self._look(name)

    def _look(self, name):
        """What the host reports of its keys."""
        report, held = self.now_reported[name], self.files[name]
        for path in held.keys() & report["files"].keys():
            report["files"][path] = report["files"][path] | {"sha256": sha256(held[path]).hexdigest()}
        known = report["snapshots"] or {"agent": None, "local": 0}
        sealed, signer = held.get(host_paths.SEALED_KEYS_JSON), held.get(host_paths.MEMBER_SIGNER_JSON)
        report["snapshots"] = known | {
            "sealed": json.loads(sealed) if sealed else None,
            "signer": json.loads(signer) if signer else None,
        }
