"""The driver whose power switch is the user's commands: IPMI, a hypervisor's or a cloud's tool."""

from __future__ import annotations

from collections.abc import Sequence

from haplane.config.drills import PowerCommands
from haplane.config.model import Inventory
from haplane.errors import DeadlinePassed, Refused
from haplane.machines.protocol import Part
from haplane.machines.watchdog import beside_us
from haplane.scripts import script
from haplane.streams import capture

OFF_SECONDS, ON_SECONDS = 30, 180
ASK_SECONDS = 20.0


class CommandMachines:
    """A :class:`haplane.machines.protocol.Machines`. ``{host}`` in a command is the host's name of the inventory.

    Messages name the settings: a command may have a password in it.
    """

    driver = "command"
    disposable = False
    keeps_off = True

    def __init__(self, inventory: Inventory, commands: PowerCommands) -> None:
        self.inventory = inventory
        self.commands = commands

    def power_cut(self, hosts: Sequence[str]) -> Part:
        for host in hosts:
            if not self._is_on(host):
                raise Refused(
                    f"`is_on` reports {host} as off", where=self.inventory.path, next_step="power it on first"
                )
        off = self._script("power_off", hosts, OFF_SECONDS, power_off=self.commands.power_off)
        on = self._script("power_on", hosts, ON_SECONDS, power_on=self.commands.power_on)
        by_hand = f"the command `drills.power.power_on` of {self.inventory.path} for {', '.join(hosts)}"
        return lambda seconds: beside_us(", ".join(hosts), off, on, seconds, by_hand)

    def _script(self, name: str, hosts: Sequence[str], seconds: int, **command: str) -> list[str]:
        text = script(name, hosts, is_on=self.commands.is_on, deadline_seconds=str(seconds), **command)
        return ["/bin/sh", "-c", text]

    def wipe(self, hosts: Sequence[str], only: str | None = None) -> None:
        raise Refused("haplane destroys the disks of lab hosts only", where=", ".join(hosts))

    def _is_on(self, host: str) -> bool:
        command = self.commands.is_on.replace("{host}", host)
        try:
            return capture(["/bin/sh", "-c", command], b"", deadline_seconds=ASK_SECONDS).code == 0
        except TimeoutError:
            raise DeadlinePassed(
                f"`drills.power.is_on` did not end within {ASK_SECONDS:g} s for {host}", where=self.inventory.path
            ) from None
