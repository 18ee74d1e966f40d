"""Which of the objects that haplane applied are gone or changed, as a majority of the API servers reports. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from haplane.domain.observed import HostReport
from haplane.domain.plan import few


@dataclass(frozen=True)
class Changes:
    """Paths in the API. ``recorded``: it is known which objects they are. ``lost_roles`` are Kubernetes' own."""

    missing: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    recorded: bool = True
    lost_roles: tuple[str, ...] = ()

    @property
    def why(self) -> str | None:
        """For a person; None when nothing has to be applied again."""
        if not self.recorded:
            return "the list of its objects is not recorded yet"
        parts = [f"{few([short(path) for path in self.missing])} deleted"] if self.missing else []
        parts += [f"{few([short(path) for path in self.edited])} changed by something else"] if self.edited else []
        return ", ".join(parts) or None


def changes(masters: Sequence[str], reports: Mapping[str, HostReport]) -> Changes:
    """What more than half of the masters that report it agree on."""
    views = [reports[name].workloads for name in masters if name in reports]
    reported = [view for view in views if view is not None]
    if not reported:
        return Changes()
    missing = _agreed([set(view.missing) for view in reported])
    edited = _agreed([set(view.edited) for view in reported])
    lost_roles = _agreed([set(view.lost_roles) for view in reported])
    return Changes(missing, edited, 2 * sum(view.recorded for view in reported) > len(reported), lost_roles)


def _agreed(seen: Sequence[set[str]]) -> tuple[str, ...]:
    votes = Counter(path for paths in seen for path in paths)
    return tuple(sorted(path for path, count in votes.items() if 2 * count > len(seen)))


def short(path: str) -> str:
    """NAMESPACE/KIND/NAME or KIND/NAME of an object, from its path in the API."""
    parts = path.strip("/").split("/")
    return "/".join(parts[parts.index("namespaces") + 1 :] if "namespaces" in parts[:-2] else parts[-2:])
