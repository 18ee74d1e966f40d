"""A process of its own with gevent patched, as `haplane` is: what pyinfra's sessions make of some hosts.

    python pyinfra_runner.py HOSTS.pickle gather | reconnect COMMAND | deploy COMMAND | ...

Says on one line of JSON what was gathered, or the error in its parts.
"""

# ruff: noqa: E402, T201 - gevent patches before all other imports; the answer is what is printed
from gevent import monkey

monkey.patch_all()

import json
import pickle
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import gevent
from pyinfra.operations import python, server

from haplane.cli.run_log import RunLog
from haplane.config.model import Host
from haplane.deploys.recipes import prepare_host
from haplane.domain.files import Part, WantedFile
from haplane.domain.progress import silent
from haplane.errors import HaplaneError
from haplane.facts.paths import ExistingPaths
from haplane.operations import kubeadm
from haplane.remote import connection
from haplane.remote.connection import hang_up
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
    written = Path(sys.argv[1]).with_suffix(".log")
    log = RunLog(written, written.open("w"), print)
    try:
        if sys.argv[2] == "gather":
            found = gather(hosts, ExistingPaths, paths=["/etc/passwd", "/no/such/file"])
            said = {"values": found.values, "failed": found.failed, "first_contacts": found.first_contacts}
        elif sys.argv[2] == "reconnect":
            said = {}
            for when in ("before", "after"):
                found = gather(hosts, ExistingPaths, paths=["/etc/passwd"])
                said[when] = {"values": found.values, "failed": found.failed, "first": found.first_contacts}
                connection.close_all()
                subprocess.run(["sh", "-c", sys.argv[3]], check=True, stdin=subprocess.DEVNULL)
        elif sys.argv[2] == "late":
            connection.connect.__defaults__ = (6.0,)
            began = time.monotonic()
            found = gather(hosts, ExistingPaths, paths=["/etc/passwd"])
            said = {"values": found.values, "failed": found.failed, "seconds": time.monotonic() - began}
        elif sys.argv[2] == "silence":
            for host in hosts:
                gevent.spawn_later(1, hang_up, host)
            began = time.monotonic()
            found = gather(hosts, ExistingPaths, paths=[])
            said = {"failed": found.failed, "seconds": time.monotonic() - began}
        elif sys.argv[2] == "place":
            secret = WantedFile(sys.argv[3], SECRET, Part.CONTROL_PLANE, 0o600, secret=True)
            files_of = {host.name: [secret] for host in hosts}
            deploy(
                hosts,
                prepare_host,
                silent,
                packages_of={},
                installer_of={},
                files_of=files_of,
                package_directory=None,
            )
            said = {}
        elif sys.argv[2] == "vanish":
            deploy(hosts, vanishing, silent, gone=hosts)
            said = {}
        else:
            deploy(hosts, recipe, lambda *words: told.append(words) if words[1] else None, command=sys.argv[3])
            said = {"told": told}
    except HaplaneError as error:
        names = ("what", "where", "why", "next_step")
        said = {"error": type(error).__name__, **{name: getattr(error, name) for name in names}}
    log.end(0)
    print(json.dumps(said))


if __name__ == "__main__":
    main()
