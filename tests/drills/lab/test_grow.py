"""One master becomes three, five, and one again, by editing the inventory, while clients are at the endpoint."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from clients import clients

from haplane.config.load import load_inventory

pytestmark = [pytest.mark.lab, pytest.mark.soak]

ROOT = Path(__file__).parents[3]
SETTINGS = """
_NETWORK = "{network}"
def _host(name, number):
    return name, {{"address": f"{{_NETWORK}}.{{number}}", "ssh_hostname": f"{{_NETWORK}}.{{number}}"}}
_ssh = {{
    "ssh_key": "~/.cache/haplane/lab/id_ed25519",
    "ssh_known_hosts_file": "~/.cache/haplane/lab/known_hosts",
    "ssh_strict_host_key_checking": "yes",
}}
masters = ([{masters}], _ssh)
leaving = ([{leaving}], _ssh)
load_balancers = ([_host("lb1", 11), _host("lb2", 12)], _ssh)
cluster = {{
    "name": "{name}",
    "endpoint": f"{{_NETWORK}}.10:6443",
    "allow_single_master": True,
    "flannel_backend": "host-gw",
    "keepalived": {{"advert_seconds": 0.3}},
    "package_directory": "~/.cache/haplane/lab/packages",
    "tuning": "nested",
    "lab": {{
        "network": f"{{_NETWORK}}.0/24", "gateway": f"{{_NETWORK}}.1", "bridge": "{bridge}",
        "extra_hosts": {{{extra}}},
    }},
}}
"""
EVERY = (1, 2, 3, 4, 5)


class Growing:
    """A lab of five machines for masters, and inventories that name some of them."""

    def __init__(self, directory, name="grow", network="10.89.8", bridge="haplane8"):
        self.directory, self.names = directory, {"name": name, "network": network, "bridge": bridge}

    def inventory(self, masters, leaving=()):
        path = self.directory / f"{'-'.join(map(str, [*masters, 'leaving', *leaving]))}.py"
        lines = {
            "masters": ", ".join(f'_host("m{number}", {20 + number})' for number in masters),
            "leaving": ", ".join(f'_host("m{number}", {20 + number})' for number in leaving),
            "extra": ", ".join(
                f'"m{number}": f"{{_NETWORK}}.{20 + number}"'
                for number in EVERY
                if number not in (*masters, *leaving)
            ),
        }
        path.write_text(SETTINGS.format(**self.names, **lines))
        return str(path)

    def haplane(self, *words, codes=(0,)):
        done = subprocess.run(
            [sys.executable, "-m", "haplane", *words], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode in codes, f"haplane {' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def up(self, masters, leaving=()):
        return json.loads(self.haplane("up", self.inventory(masters, leaving), "--yes", "--json"))


@pytest.fixture
def growing(tmp_path):
    made = Growing(tmp_path)
    made.haplane("lab", "up", made.inventory((1,)))
    yield made
    made.haplane("lab", "down", made.inventory((1,)))


STEPS = (
    ((1, 2, 3), ()),
    ((1, 2, 3, 4, 5), ()),
    ((3, 4, 5), (1, 2)),
    ((3,), (4, 5)),
)


def test_one_master_grows_to_five_and_shrinks_to_one(growing):
    first = growing.up((1,))
    assert first["status"]["etcd"]["quorum"]["voters"] == 1
    for masters, leaving in STEPS:
        with clients(load_inventory(growing.inventory(masters))) as seen:
            began = time.monotonic()
            document = growing.up(masters, leaving)
            seconds = time.monotonic() - began
        seen.tell(f"to {len(masters)} masters, {len(leaving)} leave, {seconds:.0f} s")
        status = document["status"]
        assert status["healthy"], status["problems"]
        assert status["cluster"]["uid"] == first["status"]["cluster"]["uid"]
        assert status["etcd"]["quorum"]["voters"] == len(masters)
        assert (seen.failed, seen.lost) == (0, ()), seen.failures
        assert growing.up(masters, leaving)["changed"] is False
        growing.haplane("verify", growing.inventory(masters))
