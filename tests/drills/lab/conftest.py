"""One lab for all stories: made, or found, up and left up."""

import json

import pytest
from drills.lab.a_lab import INVENTORY, Lab
from soak_table import Rows, commit, write_line

from haplane.lab.paths import client_key, known_hosts

STORIES = Rows("stories")


@pytest.fixture(scope="session")
def program(haplane_program):
    Lab.program = haplane_program


@pytest.fixture(scope="session")
def lab(program):
    made = Lab()
    made.haplane("lab", "up", INVENTORY)
    made.printed = json.loads(made.haplane("up", INVENTORY, "--yes", "--json"))["join_command"]
    return made


SMALL = """
_ssh = {{
    "ssh_user": "root",
    "ssh_key": "{key}",
    "ssh_known_hosts_file": "{known_hosts}",
    "ssh_strict_host_key_checking": "yes",
}}
masters = ([("s1", {{"address": "10.89.57.21"}})], _ssh)
workers = ([("w1", {{"address": "10.89.57.31"}})], _ssh)
cluster = {{
    "name": "small",
    "endpoint": "10.89.57.10:8443",
    "allow_single_master": True,
    "flannel_backend": "host-gw",
    "package_directory": "~/.cache/haplane/lab/packages",
    "tuning": "nested",
    "lab": {{
        "network": "10.89.57.0/24",
        "gateway": "10.89.57.1",
        "bridge": "haplane57",
        "extra_hosts": {{"jump": "10.89.57.5"}},
    }},
}}
"""


def _once_unless_soaking(fixture_name, config):
    """Soaks leave much behind and are seldom run; of the others each ends healthy, and the last in order."""
    return "session" if "not soak" in config.option.markexpr else "module"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What has a lab of its own comes last, so that one such lab serves, and is up while nothing else is measured."""
    items.sort(key=lambda item: "small" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope=_once_unless_soaking)
def small(program, tmp_path_factory):
    """A lab of its own for stories that need machines with nothing on them: one master, one worker."""
    path = tmp_path_factory.mktemp("small") / "small.py"
    path.write_text(SMALL.format(key=client_key(), known_hosts=known_hosts()))
    made = Lab(path)
    made.haplane("lab", "down", str(path))  # of a session that was killed
    made.haplane("lab", "up", str(path))
    yield made
    made.haplane("lab", "down", str(path))


@pytest.fixture(scope=_once_unless_soaking, autouse=True)
def ends_verified(program):
    """However the tests went, every check passes at the end."""
    used = []
    yield used
    if used and not used[0].is_verified:
        used[0].verify()


@pytest.fixture(autouse=True)
def ends_healthy(request, ends_verified):
    """However a test on the lab went, the cluster is healthy before the next one begins."""
    yield
    if "lab" in request.fixturenames:
        lab = request.getfixturevalue("lab")
        lab.wait_until_healthy()
        ends_verified[:] = [lab]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """What is too long for `make test` is noted where one can read when it was last seen."""
    report = yield
    soak = item.get_closest_marker("soak")
    if soak and (report.when == "call" or report.failed):
        file, _, story = item.nodeid.rpartition("/")[2].partition("::")
        where = " ".join((file, *soak.args))
        STORIES.keep({"case": f"{where}::{story}", "outcome": report.outcome, "seconds": round(report.duration)})
        rows = [row for row in STORIES.rows() if row["case"].startswith(f"{where}::") and row["commit"] == commit()]
        passed = sum(row["outcome"] == "passed" for row in rows)
        slowest = max(rows, key=lambda row: row["seconds"])
        worst = f"{slowest['seconds']} s: {slowest['case'].partition('::')[2].partition('[')[0]}"
        write_line(" ".join((f"`{file}`", *soak.args)), f"{passed} of {len(rows)} stories passed", worst)
    return report
