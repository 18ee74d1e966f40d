"""Files are the bundle's, and only root reads what is secret."""

from __future__ import annotations

from collections.abc import Callable

from haplane.bundle.manifest import Manifest
from haplane.checks.fleet import Machine
from haplane.checks.questions import ADMIN, ETCD_DATA, KUBELET_CLIENT, SUPER_ADMIN
from haplane.checks.survey import Stat
from haplane.pki import paths

PRIVATE = 0o600
PRIVATE_DIRECTORY = 0o700
OTHERS_MAY_WRITE = 0o022


def wrong_modes(machine: Machine, mode: int, concerned: Callable[[str, Stat], bool]) -> list[str]:
    """Those of the concerned files that are not root's with exactly ``mode``."""
    return [
        f"{path} is {found.mode:04o} {found.owner}"
        for path, found in machine.survey.stats.items()
        if concerned(path, found) and (found.mode != mode or found.owner != "root")
    ]


def test_bundle(machine: Machine, manifest: Manifest) -> None:
    """Programs are the bundle's, byte for byte."""
    problems = []
    for file in machine.bundled(manifest):
        digest = machine.survey.hashes.get(file.path)
        found = machine.survey.stats.get(file.path)
        if digest is None or found is None:
            problems.append(f"{file.path} is absent")
        elif digest != file.sha256:
            problems.append(f"{file.path} differs from the bundle's")
        elif found.mode != file.mode or found.owner != "root":
            problems.append(f"{file.path} is {found.mode:04o} {found.owner}, not {file.mode:04o} root")
    assert not problems, "\n".join(problems)


def test_private_keys(machine: Machine) -> None:
    """Private keys are root's alone (0600)."""
    problems = wrong_modes(machine, PRIVATE, lambda path, found: not found.directory and paths.is_private(path))
    assert not problems, "\n".join(problems)


def test_certificates_are_not_writable(machine: Machine) -> None:
    """Certificates are changed by root only."""
    problems = [
        f"{path} is {found.mode:04o} {found.owner}"
        for path, found in machine.survey.stats.items()
        if path.endswith((".crt", ".pub")) and (found.mode & OTHERS_MAY_WRITE or found.owner != "root")
    ]
    assert not problems, "\n".join(problems)


def test_kubeconfigs(node: Machine) -> None:
    """Kubeconfigs are root's alone (0600)."""
    problems = wrong_modes(node, PRIVATE, lambda path, _: path.endswith(".conf"))
    assert not problems, "\n".join(problems)


def test_static_pods(master: Machine) -> None:
    """Static pod manifests are complete and root's alone (0600)."""
    manifests = [path for path in master.survey.stats if path.startswith("/etc/kubernetes/manifests/")]
    wanted = {
        f"/etc/kubernetes/manifests/kube-{name}.yaml" for name in ("apiserver", "controller-manager", "scheduler")
    }
    absent = [f"{path} is absent" for path in sorted(wanted.difference(manifests))]
    problems = absent + wrong_modes(master, PRIVATE, lambda path, _: path in manifests)
    assert not problems, "\n".join(problems)


def test_etcd_data(member: Machine) -> None:
    """The etcd data directory is root's alone (0700)."""
    assert ETCD_DATA in member.survey.stats, f"{ETCD_DATA} is absent"
    problems = wrong_modes(member, PRIVATE_DIRECTORY, lambda path, _: path == ETCD_DATA)
    assert not problems, "\n".join(problems)


def test_kubelet_certificate_renews(node: Machine) -> None:
    """The certificate in kubelet.conf is the one that is renewed."""
    named = node.survey.kubelet_client_certificate
    assert named == KUBELET_CLIENT, f"it names {named or 'an embedded certificate'}, which nobody renews"


def test_no_super_administrator(machine: Machine) -> None:
    """No super-admin.conf, which no RBAC rule can stop."""
    assert SUPER_ADMIN not in machine.survey.stats, f"remove {SUPER_ADMIN}; admin.conf is enough for daily work"


def test_keys_stay_on_masters(machine: Machine) -> None:
    """Kubernetes' keys are on every master and nowhere else."""
    if "master" in machine.roles:
        held = [path for path in master_only() if path not in machine.survey.stats]
        assert not held, f"absent: {', '.join(held)}"
    else:
        held = [path for path in machine.survey.stats if path.startswith(paths.KUBERNETES_PKI) and is_key(path)]
        held += [path for path in (ADMIN, paths.ENCRYPTION) if path in machine.survey.stats]
        assert not held, f"it is no master and holds {', '.join(held)}"


def is_key(path: str) -> bool:
    """Whether a private key by its name."""
    return path.endswith(".key")


def master_only() -> list[str]:
    """What every master holds, so that any of them can be the survivor."""
    stems = (
        paths.KUBERNETES_AUTHORITY,
        paths.FRONT_PROXY_AUTHORITY,
        paths.ETCD_AUTHORITY,
        paths.SERVICE_ACCOUNT,
        paths.SIGNING,
    )
    return [*(f"{stem}.key" for stem in stems), paths.ENCRYPTION, ADMIN]
