"""A rotation of the key for Secrets at rest over hosts in memory, interrupted at every command and run again."""

from hashlib import sha256

import pytest
import samples
from contexts import FakeExecutor, context_of

from haplane.deploys import rotation as recipes
from haplane.domain import host_paths
from haplane.errors import HaplaneError
from haplane.phases.rotate import rotate_encryption as rotating
from haplane.pki.encryption import EncryptionKey, parse_encryption, render_encryption
from haplane.remote.secrets import AtRest

OLD = EncryptionKey.generate()
INVENTORY = samples.inventory()
NAMES = ("m1", "m2", "m3")


class Interrupted(Exception):
    """The run ends here."""


class Hosts(FakeExecutor):
    """Files and running API servers of masters, what etcd holds, and which keys snapshots have sealed."""

    def __init__(self):
        super().__init__([samples.converged(INVENTORY)])
        self.files = {name: {host_paths.ENCRYPTION_YAML: render_encryption([OLD])} for name in NAMES}
        self.running = {name: (OLD.name,) for name in NAMES}
        self.stored, self.sealed = {OLD.name}, {OLD.name}
        self.refuses = False
        self.calls, self.ends_at, self.between = 0, None, False

    def command(self):
        """Each is one that a run may die before."""
        self.calls += 1
        if self.calls == self.ends_at:
            raise Interrupted

    def read_files(self, host, wanted):
        return {path: self.files[host.name][path] for path in wanted if path in self.files[host.name]}

    def deploy(self, hosts, recipe, **given):
        for host in hosts:
            self.command()
            files = self.files[host.name]
            if recipe is recipes.write_keys:
                files |= {file.path: file.content for file in given["keys"]}
            elif recipe is recipes.remove_staged:
                self.files[host.name] = {path: text for path, text in files.items() if "/rotation/" not in path}
            else:
                files[given["digest"]] = sha256(files[given["file"]]).hexdigest().encode() + b"\n"

    def restart(self, run, host):
        self.command()
        self.running[host.name] = self.keys(host.name)
        self.check()

    def keys(self, name):
        return tuple(key.name for key in parse_encryption(self.files[name][host_paths.ENCRYPTION_YAML], name))

    def check(self):
        """Clients write through every API server, and read through every other."""
        self.stored |= {keys[0] for keys in self.running.values()}
        for name, keys in self.running.items():
            assert self.stored <= set(keys), f"{name} cannot read what is stored"
        assert self.stored <= self.sealed, "a snapshot taken now could not be read"

    def rewrite_secrets(self, master):
        self.command()
        self.stored = self.stored if self.refuses else {keys[0] for keys in self.running.values()}
        return "admission webhook denied" if self.refuses else None

    def secrets_at_rest(self, member, key):
        return AtRest(3, 0 if self.stored == {key} else 2, ("default/x",))

    def seal(self, run):
        self.command()
        self.sealed = set.union(*(set(self.keys(name)) for name in NAMES))


@pytest.fixture
def hosts(monkeypatch):
    made = Hosts()
    monkeypatch.setattr(rotating, "seal_anew", made.seal)
    monkeypatch.setattr(rotating, "follow", made.seal)
    monkeypatch.setattr(rotating, "restart_control_plane", made.restart)
    return made


def rotated(hosts):
    context = context_of(INVENTORY, samples.converged(INVENTORY), executor=hosts)
    rotating.rotate_encryption(context)
    return context.result.rotated.encryption_key, context.result.rotated.secrets


def test_afterwards_only_the_new_key_is_anywhere(hosts):
    name, secrets = rotated(hosts)
    assert name != OLD.name
    assert secrets == 3
    assert {hosts.keys(each) for each in NAMES} == set(hosts.running.values()) == {(name,)}
    assert hosts.stored == hosts.sealed == {name}
    assert not [path for files in hosts.files.values() for path in files if "rotation" in path]


def test_interrupted_anywhere_the_next_run_completes_it(hosts):
    rotated(hosts)
    commands = hosts.calls
    for ends_at in range(1, commands + 1):
        hosts.__init__()
        hosts.ends_at = ends_at
        with pytest.raises(Interrupted):
            rotated(hosts)
        name, _ = rotated(hosts)
        assert set(hosts.running.values()) == {(name,)}
        assert hosts.stored == hosts.sealed == {name}


def test_while_one_secret_cannot_be_written_the_old_key_stays(hosts):
    hosts.refuses = True
    with pytest.raises(HaplaneError, match="2 of 3 Secrets cannot be rewritten") as failed:
        rotated(hosts)
    assert "webhook denied" in failed.value.why
    assert all(OLD.name in keys for keys in hosts.running.values())
    hosts.refuses = False
    assert rotated(hosts)[1] == 3


def test_one_member_that_claims_that_nothing_is_left_is_not_enough(hosts):
    honest = hosts.secrets_at_rest
    hosts.secrets_at_rest = lambda member, key: AtRest(3, 0, ()) if member.name == "m3" else honest(member, key)
    hosts.refuses = True
    with pytest.raises(HaplaneError, match="the old key is kept"):
        rotated(hosts)
