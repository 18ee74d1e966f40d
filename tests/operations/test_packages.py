from fake_hosts import commands

from haplane.operations import packages

STATE = "StateChangeTimestampMonotonic"


def run(load_state, **arguments):
    answers = {STATE: [f"LoadState={load_state}"]}
    return commands(packages.installed, answers, packages=["haproxy", "keepalived"], **arguments)


def test_what_is_installed_stays():
    assert run("loaded") == []


def test_packages_come_from_the_repositories_or_from_a_directory():
    repaired, from_repositories = run("not-found")
    assert from_repositories.endswith("install haproxy keepalived")
    assert repaired.endswith("dpkg --force-confold --configure -a || true")
    _, from_directory = run("not-found", directory="/var/lib/haplane/packages")
    assert from_directory.startswith("cd /var/lib/haplane/packages && ")
    assert "apt-get" not in from_directory
