"""Which driver an inventory has."""

import pytest
import samples
from contexts import FakeExecutor

from haplane.config.drills import DrillSettings
from haplane.config.model import Lab
from haplane.errors import HaplaneError, Refused
from haplane.machines import command, watchdog
from haplane.machines.command import CommandMachines
from haplane.machines.drivers import driver_for
from haplane.machines.lab import LabMachines
from haplane.machines.over_ssh import SshMachines

LAB = Lab(network="10.0.0.0/24", gateway="10.0.0.1", bridge="haplane0")
COMMANDS = {"power_off": "off {host}", "power_on": "on {host}", "is_on": "true {host}"}


@pytest.mark.parametrize(
    ("settings", "driver"),
    [
        ({"lab": LAB, "drills": DrillSettings(power=COMMANDS)}, LabMachines),
        ({"drills": DrillSettings(power=COMMANDS)}, CommandMachines),
        ({}, SshMachines),
    ],
)
def test_a_lab_has_its_driver_commands_come_next_and_ssh_is_left(settings, driver):
    assert isinstance(driver_for(samples.inventory(**settings), FakeExecutor()), driver)


def test_every_host_is_powered_on_whatever_becomes_of_the_others(tmp_path):
    """`virsh start` fails for a machine that runs; a switch may be out of reach for a while."""
    for host in ("m1", "m2", "m3"):
        (tmp_path / host).touch()
    power = {
        "power_off": f"rm {tmp_path}/{{host}}",
        "power_on": f"test {{host}} != m1 || test -e {tmp_path}/tried || {{ touch {tmp_path}/tried; exit 1; }}; "
        f"test ! -e {tmp_path}/{{host}} && touch {tmp_path}/{{host}}",
        "is_on": f"test -e {tmp_path}/{{host}}",
    }
    machines = driver_for(samples.inventory(drills=DrillSettings(power=power)), FakeExecutor())
    with machines.power_cut(["m1", "m2", "m3"])(30) as armed:
        armed.apply()
        (tmp_path / "m2").touch()  # somebody was faster
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m1", "m2", "m3", "tried"]


def test_only_disks_of_labs_are_destroyed():
    for settings in ({"drills": DrillSettings(power=COMMANDS)}, {}):
        machines = driver_for(samples.inventory(**settings), FakeExecutor())
        assert not machines.disposable
        with pytest.raises(Refused):
            machines.wipe(["m1"])


def test_the_users_commands_switch_the_power_and_a_host_counts_as_off_when_is_on_fails(tmp_path):
    for host in ("m1", "m2"):
        (tmp_path / host).touch()
    power = {
        "power_off": f"rm {tmp_path}/{{host}}",
        "power_on": f"touch {tmp_path}/{{host}}",
        "is_on": f"test -e {tmp_path}/{{host}}",
    }
    machines = driver_for(samples.inventory(drills=DrillSettings(power=power)), FakeExecutor())
    with machines.power_cut(["m1", "m2"])(30) as armed:
        armed.apply()
        assert not list(tmp_path.iterdir())
        with pytest.raises(Refused, match="reports m1 as off"):
            machines.power_cut(["m1"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m1", "m2"]


def test_a_host_that_stays_on_is_named(monkeypatch):
    monkeypatch.setattr(command, "OFF_SECONDS", 0)
    machines = driver_for(
        samples.inventory(drills=DrillSettings(power=dict.fromkeys(COMMANDS, "true {host}"))), FakeExecutor()
    )
    with machines.power_cut(["m1"])(30) as armed, pytest.raises(HaplaneError, match="m1 is off"):
        armed.apply()


def test_passwords_in_power_commands_reach_no_message(tmp_path, monkeypatch):
    (tmp_path / "m1").touch()
    secret = ": ipmitool -P s3cret; "
    power = {
        "power_off": f"{secret} rm {tmp_path}/{{host}}; sleep 5",
        "power_on": f"{secret} test -z {{host}}",
        "is_on": f"{secret} test -e {tmp_path}/{{host}}",
    }
    machines = driver_for(samples.inventory(drills=DrillSettings(power=power)), FakeExecutor())
    slow = watchdog.PROGRAM.replace("APPLY_SECONDS = 60.0", "APPLY_SECONDS = 0.5")
    monkeypatch.setattr(watchdog, "PROGRAM", slow.replace("UNDO_ATTEMPTS = 30", "UNDO_ATTEMPTS = 1"))
    said = []
    with pytest.raises(HaplaneError) as undo, machines.power_cut(["m1"])(30) as armed:
        with pytest.raises(HaplaneError) as apply:
            armed.apply()
        said.append(apply.value)
    armed._process.wait(30)
    monkeypatch.setattr(command, "ASK_SECONDS", 0.1)
    slow_switch = {**power, "is_on": f"{secret} sleep 5; test {{host}}"}
    with pytest.raises(HaplaneError) as asked:
        driver_for(samples.inventory(drills=DrillSettings(power=slow_switch)), FakeExecutor()).power_cut(["m1"])
    said += [undo.value, asked.value]
    assert ["did not end" in str(said[0]), "power_on" in str(said[1]), "is_on" in str(said[2])] == [True] * 3, said
    assert not any("s3cret" in str(error) or "ipmitool" in str(error) for error in said)
