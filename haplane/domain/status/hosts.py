"""What is wrong with single hosts."""

from __future__ import annotations

from haplane.domain.observed import Observation, Unit
from haplane.domain.status.model import Roster, problem

UP = "`haplane up INVENTORY`"


def failed_probes(observation: Observation) -> list[str]:
    """Parts of a host that could not be observed: unknown, never fine."""
    return [
        f"{name}: its {part} cannot be inspected ({why})"
        for name, report in sorted(observation.reports.items())
        for part, why in sorted(report.failed.items())
    ]


def server_problems(roster: Roster, observation: Observation) -> list[str]:
    """Kubeconfigs of kubelets and administrators that lead elsewhere: those of components are tried out."""
    return [
        problem(
            f"{name}: {path} names {server or 'no API server'}",
            why="not this cluster's",
            fix=UP,
        )
        for name, allowed in roster.api_servers.items()
        if name in observation.reports
        for path, server in observation.reports[name].servers.items()
        if server not in allowed
    ]


def unit_problems(roster: Roster, observation: Observation) -> list[str]:
    """Stopped is redundancy gone now, disabled is redundancy gone with the next power cut."""
    found = []
    for name, report in observation.reports.items():
        for unit in roster.units.get(name, ()) if "units" not in report.failed else ():
            state = report.units.get(unit)
            if state is None or not state.active:
                found.append(_not_running(name, unit, state))
            elif not state.enabled:
                found.append(problem(f"{name}: {unit} is disabled, it would not start at boot", fix=UP))
    return found


def _not_running(name: str, unit: str, state: Unit | None) -> str:
    """One that systemd starts again and again needs somebody to end the cause; any other is `up`'s to start."""
    why = "it is masked" if state and state.masked else state.why if state else "it is not installed"
    again = state is not None and state.starting and unit != "etcd"
    log = f"`journalctl -u {unit} -n 50` on {name} shows the rest"
    return problem(f"{name}: {unit} is not running", why=why or None, fix=log if again else UP)
