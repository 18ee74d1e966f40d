"""The view: what is known of the hosts after one look at all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from haplane.config.model import Host
from haplane.domain.clocks import Window
from haplane.domain.observed import HostReport, LeftOut, Observation


@dataclass(frozen=True)
class View:
    """One look at every host at once, each believed for what its role can know.

    ``seen_at`` is by the controller's clock. ``left_out`` are hosts that are treated as if they were unreachable in
    every later look too. ``reported`` is what all answered, whether they are believed or not.
    """

    observation: Observation = field(default_factory=lambda: Observation(reports={}))
    reported: Observation = field(default_factory=lambda: Observation(reports={}))
    window: Window = Window(0, 0)
    left_out: Mapping[str, LeftOut] = field(default_factory=dict)
    seen_at: datetime = datetime.min.replace(tzinfo=UTC)

    def report(self, host: Host) -> HostReport:
        """What the host reported. Raises KeyError when it did not answer."""
        return self.observation.reports[host.name]

    def reachable(self, hosts: Sequence[Host]) -> list[Host]:
        """Those of ``hosts`` that answered."""
        return [host for host in hosts if host.name in self.observation.reports]

    def digest_on(self, masters: Sequence[Host], path: str) -> str | None:
        """The file's SHA-256 on most masters that have it; masters that disagree are refused elsewhere."""
        reports = [self.report(host) for host in self.reachable(masters)]
        counted = Counter(report.files[path].sha256 for report in reports if path in report.files)
        return counted.most_common(1)[0][0] if counted else None
