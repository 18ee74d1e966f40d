"""The driver whose power switch is the user's commands: IPMI, a hypervisor's or a cloud's tool."""

from __future__ import annotations

from collections.abc import Sequence

from haplane.config.drills import PowerCommands
from haplane.config.model import Inventory
from haplane.errors import DeadlinePassed, Refused
from haplane.machines.protocol import Part
from haplane.machines.watchdog import beside_us
from haplane.streams import capture

OFF_SECONDS, ON_SECONDS = 30, 180
ASK_SECONDS = 20.0
WAIT = "n=0; until {condition}; do n=$((n+1)); test $n -lt {seconds} || exit 1; sleep 1; done"


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
        off, on = self.commands.power_off, self.commands.power_on
        cut = " && ".join([*self._each(off, hosts), *self._wait(hosts, "! {is_on}", OFF_SECONDS)])
        restore = self._restored(on, hosts)
        by_hand = f"the command `drills.power.power_on` of {self.inventory.path} for {', '.join(hosts)}"
        return lambda seconds: beside_us(
            ", ".join(hosts), ["/bin/sh", "-c", cut], ["/bin/sh", "-c", restore], seconds, by_hand
        )

    def _restored(self, on: str, hosts: Sequence[str]) -> str:
        """Every host is tried whatever became of the others; to power on one that is on may fail.

        Where one was not powered on none is waited for: the watchdog runs it again in a second.
        """
        switched, asked = self._each(on, hosts), self._each(self.commands.is_on, hosts)
        powered = [f"{one} || {is_on} || failed=1" for one, is_on in zip(switched, asked, strict=True)]
        waited = " && ".join(self._wait(hosts, "{is_on}", ON_SECONDS))
        return "\n".join(["failed=0", *powered, "test $failed = 0 || exit 1", waited])

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

    def _each(self, command: str, hosts: Sequence[str]) -> list[str]:
        return [f"( {command.replace('{host}', host)} )" for host in hosts]

    def _wait(self, hosts: Sequence[str], condition: str, seconds: int) -> list[str]:
        asked = [condition.format(is_on=one) for one in self._each(self.commands.is_on, hosts)]
        return [f"( {WAIT.format(condition=one, seconds=seconds)} )" for one in asked]
