"""Files are the bundle's, and secrets are readable by root only."""

from __future__ import annotations

from collections.abc import Callable

from haplane.bundle.manifest import Manifest
from haplane.checks.fleet import Machine
from haplane.checks.host_facts import Stat
from haplane.domain import host_paths
from haplane.domain.files import ETCD_USER

PRIVATE = 0o600
PRIVATE_DIRECTORY = 0o700
OTHERS_MAY_WRITE = 0o022


def wrong_modes(
    machine: Machine, mode: int, concerned: Callable[[str, Stat], bool], owner: str = "root"
) -> list[str]:
    """Files that ``concerned`` selects and that do not have exactly this mode and owner."""
    return [
        f"{path} is {found.mode:04o} {found.owner}"
        for path, found in machine.facts.stats.items()
        if concerned(path, found) and (found.mode != mode or found.owner != owner)
    ]


def test_bundle(machine: Machine, manifest: Manifest) -> None:
    """Programs are the bundle's, byte for byte."""
    problems = []
    for file in machine.bundled(manifest):
        digest = machine.facts.hashes.get(file.path)
        found = machine.facts.stats.get(file.path)
        if digest is None or found is None:
            problems.append(f"{file.path} is absent")
        elif digest != file.sha256:
            problems.append(f"{file.path} differs from the bundle's")
        elif found.mode != file.mode or found.owner != "root":
            problems.append(f"{file.path} is {found.mode:04o} {found.owner}, not {file.mode:04o} root")
    assert not problems, "\n".join(problems)


def _is_key(path: str, found: Stat) -> bool:
    return not found.directory and host_paths.is_private(path)


def test_private_keys(machine: Machine) -> None:
    """Private keys are 0600 and root's, etcd's own keys etcd's."""
    roots = wrong_modes(
        machine, PRIVATE, lambda path, found: _is_key(path, found) and path not in host_paths.ETCD_OWN_KEYS
    )
    problems = [*roots, *wrong_modes(machine, PRIVATE, lambda path, _: path in host_paths.ETCD_OWN_KEYS, ETCD_USER)]
    assert not problems, "\n".join(problems)


def test_certificates_are_not_writable(machine: Machine) -> None:
    """Certificates are writable by root only."""
    problems = [
        f"{path} is {found.mode:04o} {found.owner}"
        for path, found in machine.facts.stats.items()
        if path.endswith((".crt", ".pub")) and (found.mode & OTHERS_MAY_WRITE or found.owner != "root")
    ]
    assert not problems, "\n".join(problems)


def test_kubeconfigs(node: Machine) -> None:
    """Kubeconfigs are root's (0600)."""
    problems = wrong_modes(node, PRIVATE, lambda path, _: path.endswith(".conf"))
    assert not problems, "\n".join(problems)


def test_static_pods(master: Machine) -> None:
    """Static pod manifests are complete and root's (0600)."""
    manifests = [path for path in master.facts.stats if path.startswith(f"{host_paths.STATIC_PODS}/")]
    wanted = {
        f"{host_paths.STATIC_PODS}/kube-{name}.yaml" for name in ("apiserver", "controller-manager", "scheduler")
    }
    absent = [f"{path} is absent" for path in sorted(wanted.difference(manifests))]
    problems = absent + wrong_modes(master, PRIVATE, lambda path, _: path in manifests)
    assert not problems, "\n".join(problems)


def test_etcd_data(member: Machine) -> None:
    """The etcd data directory is the user etcd's (0700)."""
    assert host_paths.ETCD_DATA in member.facts.stats, f"{host_paths.ETCD_DATA} is absent"
    problems = wrong_modes(member, PRIVATE_DIRECTORY, lambda path, _: path == host_paths.ETCD_DATA, ETCD_USER)
    assert not problems, "\n".join(problems)


def test_kubelet_certificate_renews(node: Machine) -> None:
    """kubelet.conf uses the certificate that the kubelet renews."""
    named = node.facts.kubelet_client_certificate
    assert named == host_paths.KUBELET_CLIENT_PEM, (
        f"kubelet.conf uses {named or 'an embedded certificate'}, which is never renewed"
    )


def test_no_super_administrator(machine: Machine) -> None:
    """No super-admin.conf, which bypasses RBAC."""
    assert host_paths.SUPER_ADMIN_KUBECONFIG not in machine.facts.stats, (
        f"{host_paths.SUPER_ADMIN_KUBECONFIG} exists: remove it, admin.conf is enough for daily work"
    )


def test_keys_stay_on_masters(machine: Machine) -> None:
    """Kubernetes' keys are on every master and nowhere else."""
    if "master" in machine.roles:
        absent = [path for path in master_only() if path not in machine.facts.stats]
        assert not absent, f"absent: {', '.join(absent)}"
    else:
        held = [path for path in machine.facts.stats if path.startswith(host_paths.KUBERNETES_PKI) and is_key(path)]
        held += [
            path for path in (host_paths.ADMIN_KUBECONFIG, host_paths.ENCRYPTION_YAML) if path in machine.facts.stats
        ]
        assert not held, f"not a master, but it has {', '.join(held)}"


def is_key(path: str) -> bool:
    """Whether its name is that of a private key."""
    return path.endswith(".key")


def master_only() -> list[str]:
    """What every master has, so that the cluster can be rebuilt from any one of them."""
    stems = (
        host_paths.KUBERNETES_CA_STEM,
        host_paths.FRONT_PROXY_CA_STEM,
        host_paths.ETCD_CA_STEM,
        host_paths.SERVICE_ACCOUNT_STEM,
        host_paths.SIGNING_STEM,
    )
    return [*(f"{stem}.key" for stem in stems), host_paths.ENCRYPTION_YAML, host_paths.ADMIN_KUBECONFIG]
