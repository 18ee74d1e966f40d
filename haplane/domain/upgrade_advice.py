"""Commands that messages name, as they work while other versions run than the inventory's. Pure.

Whoever finds a problem names the command that solves it where the cluster is what its inventory says. Beside an
inventory that wants another version, `up` and what it does refuse; between two versions some do, and some do less.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from haplane.domain.upgrade_interrupted import is_interrupted, may_run_beside
from haplane.domain.upgrade_route import APISERVER
from haplane.domain.versions import Running, is_version, parse
from haplane.errors import INVENTORY

COMMAND = re.compile(r"`haplane (up|certs renew|node repair|restore)(?: [^`]*)?`")
UPGRADE = f"`haplane upgrade {INVENTORY}`"


@dataclass(frozen=True)
class OtherVersion:
    """``running`` is the newest that runs, ``wanted`` the inventory's.

    ``between``: an upgrade was interrupted; ``fits``: a master of the wanted version may run beside the others;
    ``back``: the command that takes the upgrade back, as :func:`way_back` has it.
    """

    running: str
    wanted: str
    between: bool
    fits: bool = False
    back: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """For status: an upgrade that was interrupted is no problem by itself, and yet to be completed."""
        back = f"; or {self.back} goes back" if self.back else ""
        return (f"an upgrade was interrupted; {UPGRADE} completes it{back}",) if self.between else ()

    @property
    def restores(self) -> bool:
        """Whether a restore may bring all hosts to the inventory's version: what any of them stored can be read."""
        return self.between and self.fits and parse(self.running) <= parse(self.wanted)

    def fitted(self, text: str) -> str:
        """The text with commands that work."""
        return COMMAND.sub(self._fitted, text)

    def _fitted(self, found: re.Match[str]) -> str:
        verb, command = found[1], found[0]
        if self.between and verb == "certs renew":
            return UPGRADE
        works = self.restores if verb == "restore" else self.between and self.fits
        if not works and self.running != self.wanted:
            command += f' with cluster["kubernetes_version"] = "{self.running}" in it'
        return f"{command}, then {UPGRADE}" if self.between and verb == "up" else command


def other_version(
    running: Collection[Running], members: Collection[str], wanted: str, *, staged: bool
) -> OtherVersion | None:
    """None where the inventory's runs, or no upgrade is the reason why another does; as :func:`is_interrupted`."""
    versions = {one.version for one in running}
    if is_interrupted(running, members, wanted, staged=staged):
        newest = str(max(map(parse, versions)))
        back = way_back(running, wanted)
        return OtherVersion(newest, wanted, between=True, fits=may_run_beside(wanted, versions), back=back)
    only = versions.pop() if len(versions) == 1 else wanted
    return OtherVersion(only, wanted, between=False) if only != wanted and is_version(only) else None


def way_back(running: Iterable[Running], wanted: str, inventory: str = INVENTORY) -> str:
    """The command that takes an upgrade back; "" once every API server is of the ``wanted`` version, or newer."""
    old = [parse(one.version) for one in running if one.program == APISERVER and is_version(one.version)]
    if not old or min(old) >= parse(wanted):
        return ""
    return f'`haplane upgrade {inventory}` with cluster["kubernetes_version"] = "{min(old)}" in it'
