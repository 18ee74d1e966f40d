"""pyinfra deploys of a restore: the same steps on every host they are given."""

from __future__ import annotations

from collections.abc import Mapping

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from haplane.domain.files import WantedFile
from haplane.operations import files, kubeadm, restore

SECONDS = 600


@deploy("Remember the restore")
def write_journal(journal: WantedFile, data: str, staging: str) -> None:
    """On every host that it changes: an interrupted one is completed from it, one that was given up is removed."""
    restore.tidy(data=data, keep=staging, name="Remove what a restore that was given up has left", _timeout=120)
    files.place(files=[journal], name="Write the restore's journal", _timeout=60)


@deploy("Write the encryption keys")
def write_encryption(encryption: WantedFile) -> None:
    """What API servers read Secrets with once they start again."""
    files.place(files=[encryption], name="Write the encryption keys", _timeout=60)


@deploy("Rebuild etcd's data")
def rebuild_data(staging: str, *, bump: int, token: str, initial_cluster: str, peer_urls: Mapping[str, str]) -> None:
    """On all members at once, beside their old data."""
    restore.rebuild_data(
        staging=staging,
        bump=bump,
        member=host.name,
        initial_cluster=initial_cluster,
        token=token,
        peer_url=peer_urls[host.name],
        name="Rebuild etcd's data",
        _timeout=SECONDS,
    )


@deploy("Stop API servers")
def stop_serving(manifest: str, aside: str) -> None:
    """With the controllers, the scheduler and the kubelet, on all masters at once."""
    restore.stop_serving(manifest=manifest, aside=aside, name="Stop API servers", _timeout=120)


@deploy("Switch etcd's data")
def switch_data(data: str, staging: str, aside: str) -> None:
    """Two renames."""
    restore.switch_data(data=data, staging=staging, aside=aside, name="Switch etcd's data", _timeout=120)


@deploy("Start etcd")
def start_restored() -> None:
    """All members together, as one new cluster."""
    restore.start_restored(name="Start etcd", _timeout=60)
    restore.settle_restored(name="Wait for quorum", _timeout=300)


@deploy("Let API servers start")
def resume_serving(manifest: str, aside: str, config: str) -> None:
    """With fresh controllers, schedulers and kubelets, on all masters at once."""
    restore.resume_serving(manifest=manifest, aside=aside, config=config, name="Let API servers start", _timeout=120)


@deploy("Wait for API servers")
def wait_for_apiservers(port: int) -> None:
    """Each its own."""
    kubeadm.wait_for_apiserver(port=port, name="Wait until API servers are ready", _timeout=240)


@deploy("Restart kubelets")
def restart_kubelets() -> None:
    """On workers."""
    restore.restart_kubelet(name="Restart the kubelet", _timeout=60)


@deploy("Forget the restore")
def forget(data: str, journal: str) -> None:
    """Only the old data stays."""
    restore.tidy(data=data, name="Tidy up after the restore", _timeout=120)
    kubeadm.absent(path=journal, name="Remove the restore's journal", _timeout=30)
