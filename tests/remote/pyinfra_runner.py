"""A process of its own with gevent patched, as `haplane` is: what pyinfra's sessions make of some hosts.

    python pyinfra_runner.py HOSTS.pickle gather | deploy COMMAND | place PATH | vanish | silence

Says on one line of JSON what was gathered, or the error in its parts.
"""

# ruff: noqa: E402, T201 - gevent patches before all other imports; the answer is what is printed
from gevent import monkey

monkey.patch_all()

import json
import pickle
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import gevent
from pyinfra.operations import python, server

from haplane.config.model import Host
from haplane.deploys.recipes import prepare_host
from haplane.domain.files import Part, WantedFile
from haplane.domain.progress import silent
from haplane.errors import HaplaneError
from haplane.facts.paths import ExistingPaths
from haplane.operations import kubeadm
from haplane.remote.connector import hang_up
from haplane.remote.session import deploy, gather

SECRET = bytes(range(256)) * 64


def recipe(command: str) -> None:
    server.shell(commands=["true"], name="Nothing")
    server.shell(commands=[command], name="A change")


def vanishing(gone: Sequence[Host]) -> None:
    """The connections end between two operations, and the second one asks its host for a fact first."""
    for host in gone:
        python.call(hang_up, host, name="Go away")
    kubeadm.absent("/no/such/file", name="Look for a file")


def main() -> None:
    hosts = pickle.loads(Path(sys.argv[1]).read_bytes())
    told: list[tuple[str, str]] = []
    try:
        if sys.argv[2] == "gather":
            found = gather(hosts, ExistingPaths, paths=["/etc/passwd", "/no/such/file"])
            said = {"values": found.values, "failed": found.failed, "first_contacts": found.first_contacts}
        elif sys.argv[2] == "silence":
            for host in hosts:
                gevent.spawn_later(1, hang_up, host)
            began = time.monotonic()
            found = gather(hosts, ExistingPaths, paths=[])
            said = {"failed": found.failed, "seconds": time.monotonic() - began}
        elif sys.argv[2] == "place":
            secret = WantedFile(sys.argv[3], SECRET, Part.CONTROL_PLANE, 0o600, secret=True)
            files_of = {host.name: [secret] for host in hosts}
            deploy(hosts, prepare_host, silent, packages_of={}, files_of=files_of, package_directory=None)
            said = {}
        elif sys.argv[2] == "vanish":
            deploy(hosts, vanishing, silent, gone=hosts)
            said = {}
        else:
            deploy(
                hosts, recipe, lambda subject, message, _=None: told.append((subject, message)), command=sys.argv[3]
            )
            said = {"told": told}
    except HaplaneError as error:
        names = ("what", "where", "why", "next_step")
        said = {"error": type(error).__name__, **{name: getattr(error, name) for name in names}}
    print(json.dumps(said))


if __name__ == "__main__":
    main()
