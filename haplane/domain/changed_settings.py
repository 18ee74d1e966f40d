"""Where the inventory wants other settings than a cluster was made with. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from haplane.domain.observed import HostReport


def changed_settings(
    wanted: Mapping[str, str], masters: Sequence[str], reports: Mapping[str, HostReport], evidence: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """By master, where the inventory wants another value than the cluster was made with, both values said.

    A master without a configuration has no say. Of one without any of ``evidence`` nothing has been made yet: it may
    be written anew.
    """
    been_through = {
        name: reports[name].settings
        for name in masters
        if name in reports and reports[name].settings and any(path in reports[name].files for path in evidence)
    }
    return {
        master: tuple(
            f"{name} of the cluster is {settings[name]}, the inventory has {value}"
            for name, value in wanted.items()
            if settings.get(name, value) != value
        )
        for master, settings in been_through.items()
    }
