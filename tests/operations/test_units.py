import pytest
from fake_hosts import commands

from haplane.operations import units

STATE = "StateChangeTimestampMonotonic"
UP = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled", "NeedDaemonReload": "no"}


def run(state, **arguments):
    lines = [f"{name}={value}" for name, value in {**UP, "Outdated": "no", **state}.items()]
    return commands(units.up, {STATE: lines}, unit="etcd", **arguments)


def test_a_unit_that_is_up_with_its_files_is_left_alone():
    assert run({}) == []
    assert run({}, check="etcd --check") == []


def test_a_stopped_unit_is_started_without_waiting_for_it():
    expected = ["systemctl reset-failed etcd.service || true", "systemctl start --no-block etcd.service"]
    assert run({"ActiveState": "failed"}) == expected


def test_a_stopped_unit_may_be_waited_for():
    assert run({"ActiveState": "inactive"}, wait=True)[-1] == "systemctl start etcd.service"


def test_a_disabled_unit_is_enabled_and_not_restarted():
    assert run({"UnitFileState": "disabled"}) == ["systemctl enable --quiet etcd.service"]


@pytest.mark.parametrize(("kind", "option"), [("masked", ""), ("masked-runtime", "--runtime ")])
def test_a_masked_unit_is_unmasked_first(kind, option):
    found = run({"LoadState": "masked", "ActiveState": "inactive", "UnitFileState": kind})
    assert found[0] == f"systemctl unmask --quiet {option}etcd.service"
    assert found[-1] == "systemctl start --no-block etcd.service"


@pytest.mark.parametrize(
    ("state", "arguments"), [({"Outdated": "yes"}, {}), ({}, {"changed": True})], ids=["newer files", "told so"]
)
def test_what_changed_is_taken_up_by_a_restart_or_a_reload(state, arguments):
    assert run(state, **arguments) == ["systemctl daemon-reload", "systemctl restart etcd.service"]
    assert run(state, reloads=True, **arguments)[-1] == "systemctl reload-or-restart etcd.service"


def test_files_are_checked_before_anything_is_touched():
    assert run({"Outdated": "yes"}, check="etcd --check")[0] == "etcd --check"
