"""What must hold between several settings. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from haplane.config.model import Cluster, Host
from haplane.config.problem import Problem


@dataclass(frozen=True)
class Draft:
    """An inventory whose single values were checked, of which some may be wrong.

    ``names`` are the host names of each group as written, ``hosts`` those among them that are valid. ``wrong`` names
    the settings of ``cluster`` and the groups in which something wrong was found already; in ``cluster`` they have
    their default.
    """

    cluster: Cluster
    names: Mapping[str, tuple[str, ...]]
    hosts: Mapping[str, tuple[Host, ...]]
    wrong: frozenset[str] = frozenset()


def problems(draft: Draft) -> Iterator[Problem]:
    """Everything that is wrong between settings."""
    yield from ()
