from fake_hosts import commands

from haplane.operations import packages
from haplane.platforms import PLATFORMS

STATE = "StateChangeTimestampMonotonic"
SCRIPT = PLATFORMS.of("ubuntu").install_script


def run(load_state, **arguments):
    answers = {STATE: [f"LoadState={load_state}"]}
    given = {"haproxy": "haproxy", "keepalived": "keepalived-2"}
    return commands(packages.installed, answers, script=SCRIPT, packages=given, **arguments)


def test_what_is_installed_stays():
    assert run("loaded") == []


def test_packages_come_from_the_repositories_or_from_a_directory():
    [from_repositories] = run("not-found")
    assert "keepalived-2" in from_repositories
    [from_directory] = run("not-found", directory="/var/lib/haplane/packages")
    assert "/var/lib/haplane/packages" in from_directory
