"""Which driver an inventory has."""

import pytest
import samples
from contexts import FakeExecutor

from haplane.config.drills import DrillSettings
from haplane.config.model import Lab
from haplane.errors import Refused
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
