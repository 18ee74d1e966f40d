"""A lab with snapshots into a bucket on a host of its own, and the operator's age identity."""

import json
import os
from contextlib import contextmanager

from drills.lab import s3_host

from haplane.remote.openssh import ssh_command

SERVER = "s3"


class Guarded:
    """``path`` is the inventory with snapshots, ``identity`` the operator's file."""

    def __init__(self, lab, path, identity):
        self.lab, self.path, self.identity = lab, str(path), str(identity)

    def json(self, *words, codes=(0,)):
        return json.loads(self.lab.haplane(*words, "--json", codes=codes))

    def restore(self, *words, codes=(0,)):
        return self.json("restore", self.path, "--identity", self.identity, "--yes", *words, codes=codes)

    def take(self):
        return self.json("snapshot", "take", self.path)["id"]


@contextmanager
def into_a_bucket(lab, directory):
    """Takes snapshots when asked; what operators keep is in ``directory``."""
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(directory / "state")
    identity, path = directory / "identity", directory / "guarded.py"
    recipient = json.loads(lab.haplane("keys", "new", str(identity), "--json"))["recipient"]
    lab.haplane("keys", "check", str(identity))
    address = str(lab.inventory.cluster.lab.extra_hosts[SERVER])
    like = lab.inventory.masters[0]
    machine = like.model_copy(update={"name": SERVER, "ssh": like.ssh.model_copy(update={"hostname": address})})
    server = s3_host.start(lambda *words: ssh_command(machine, *words), address, directory)["rclone"]
    write(lab, path, recipient, server)
    made = Guarded(lab, path, identity)
    outcome = made.json("up", str(path), "--yes", codes=(0, 6))
    assert outcome["signing_key"], "it is told at once"
    write(lab, path, recipient, server, signing_key=outcome["signing_key"])
    try:
        yield made
    finally:
        os.environ.pop("XDG_STATE_HOME")
        if before is not None:
            os.environ["XDG_STATE_HOME"] = before


def write(lab, path, recipient, server, **more):
    setting = {"recipients": [recipient], "interval_seconds": 3600, "s3": server.settings(), **more}
    text = (lab.root / lab.path).read_text()
    path.write_text(f'{text}\ncluster["snapshots"] = {setting!r}\n')
