"""What is wrong with single hosts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from haplane.domain import host_paths
from haplane.domain.answers import TOO_LATE
from haplane.domain.assessment import restore_under_way
from haplane.domain.misled import misled
from haplane.domain.observed import UNUSABLE, HostReport, Observation, Unit
from haplane.domain.other_clusters import OTHER_CA
from haplane.domain.plan import few
from haplane.domain.preflight import is_pushed_again
from haplane.domain.problem import UP, Problem, on, problem, word
from haplane.domain.stale_members import shares_cluster
from haplane.domain.status.causes import does_not_answer, let_in
from haplane.domain.status.model import Roster
from haplane.domain.status.own_files import spoiled
from haplane.domain.status.rotation import is_rotating


def failed_probes(observation: Observation) -> list[Problem]:
    """Parts of a host that could not be observed: unknown, never fine."""
    return [
        problem(
            f"{name}: its {part} cannot be inspected",
            why=why,
            fix=UP if is_pushed_again(part, report, observation.reports) else _way_out(name, report.lacks.get(part)),
        )
        for name, report in sorted(observation.reports.items())
        for part, why in sorted(report.failed.items())
        if not (part == "images" and does_not_answer(report))
    ]


def runtime_problems(roster: Roster, observation: Observation) -> list[Problem]:
    """Containerd that hangs: its pods run on, and none is started or ended."""
    return [
        problem(
            f"{name}: containerd is not responding",
            why="its unit is active, but it lists no images: pods there are neither started nor stopped",
            fix=on(name, "systemctl restart containerd"),
        )
        for name, report in sorted(observation.reports.items())
        if "containerd" in roster.units.get(name, ())
        and does_not_answer(report)
        and not report.condition.stopped_of("containerd")
    ]


def _way_out(name: str, program: str | None = None) -> str:
    """What shows why a host cannot be looked at: a program that is missing, or a host that is overloaded."""
    if program:
        return f"install {program}, or copy it from another host: {on(name, f'type -a {program}')}"
    return on(name, "uptime; df -h; dmesg | tail") + " shows whether it is overloaded, full or broken"


def unreachable_hosts(roster: Roster, observation: Observation) -> list[Problem]:
    """Nothing else is known of them, or it was not to be used."""
    found = []
    for name, why in sorted(observation.unreachable.items()):
        if one := observation.left_out.get(name):
            found.append(problem(f"{name}: left out", why=one.why, fix=let_in(one), needs=[name]))
        elif why.startswith(TOO_LATE):
            found.append(problem(f"{name}: too slow", why=why, fix=_way_out(name), needs=[name]))
        else:
            fix = f"power it on; `ssh -v {roster.ssh.get(name, name)}` shows how far a connection gets"
            found.append(problem(f"{name}: unreachable", why=why, fix=fix, needs=[name]))
    return found


def server_problems(roster: Roster, observation: Observation) -> list[Problem]:
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


def identity_problems(roster: Roster, observation: Observation) -> list[Problem]:
    """Files that all masters share, where some have others: `up` refuses, and what they issue is not trusted.

    While keys are rotated or restored they differ for a time, and that is a problem of its own.
    """
    restoring = restore_under_way(roster.etcd, roster.masters, observation.reports)
    if restoring is not None or is_rotating(roster, observation):
        return []
    found: dict[str, list[str]] = {}
    for path in roster.identity:
        held = {
            name: observation.reports[name].files[path].sha256
            for name in roster.masters
            if name in observation.reports and path in observation.reports[name].files
        }
        most, votes = Counter(held.values()).most_common(1)[0] if held else ("", 0)
        for name, sha256 in held.items():
            if sha256 != most and 2 * votes > len(held):
                found.setdefault(name, []).append(path)
    return [
        problem(
            f"{name}: {few(paths)} differ{'s' if len(paths) == 1 else ''} from the other masters'",
            why="replaced by hand, or another cluster's",
            fix=f"copy {few(paths)} from another master to {name} (mode 0600), then {UP}",
        )
        for name, paths in found.items()
    ]


def replaced_cas(roster: Roster, observation: Observation) -> list[Problem]:
    """Copies of the masters' CAs, on members and workers, that are not the masters'.

    What has read the right one runs on. A worker that has joined another cluster is one whose kubelet trusts that CA.
    """
    return [
        problem(f"{name}: {path} is not the cluster's CA", why="somebody replaced it", fix=UP)
        for name, path in replaced_copies(roster, observation)
    ]


def replaced_copies(roster: Roster, observation: Observation) -> list[tuple[str, str]]:
    """By host the path of each copy of a CA that is not the masters'."""
    reports = observation.reports
    copies = (
        (roster.etcd, host_paths.ETCD_MEMBER_CA_CRT, host_paths.ETCD_CA_CRT),
        (roster.workers, host_paths.KUBERNETES_CA_CRT, host_paths.KUBERNETES_CA_CRT),
    )
    found = []
    for names, path, original in copies:
        ours = Counter(one.files[original].sha256 for one in observation.of(roster.masters) if original in one.files)
        for name in names if ours else ():
            copy = reports[name].files.get(path) if name in reports else None
            if (
                copy is not None
                and copy.sha256 != ours.most_common(1)[0][0]
                and _is_ours(name, path, roster, reports)
            ):
                found.append((name, path))
    return found


def _is_ours(name: str, path: str, roster: Roster, reports: Mapping[str, HostReport]) -> bool:
    if path == host_paths.KUBERNETES_CA_CRT:
        return reports[name].unusable.get(host_paths.KUBELET_KUBECONFIG) == OTHER_CA
    return shares_cluster(name, [one for one in roster.etcd if one in reports], reports)


def swap_problems(roster: Roster, observation: Observation) -> list[Problem]:
    """Turned on after the kubelet had started: it runs on, and does not start again."""
    return [
        problem(
            f"{name}: swap is on: its kubelet would not start again",
            fix=f"on {name}: `swapoff -a`, and remove it from /etc/fstab",
        )
        for name in roster.without_swap
        if name in observation.reports and observation.reports[name].machine.swap_bytes
    ]


def address_problems(roster: Roster, observation: Observation) -> list[Problem]:
    """Addresses that belong to another host of the inventory, and the endpoint's where no keepalived puts it."""
    owners = {address: name for name, address in roster.addresses.items()}
    endpoint = roster.endpoint.rpartition(":")[0]
    elsewhere = misled(roster.addresses, observation.reports)
    found = [_leads_to(name, other, roster) for name, other in elsewhere.items()]
    for name, report in sorted(observation.reports.items()):
        if name in elsewhere:
            continue
        theirs = {address: owner for address, owner in owners.items() if owner != name}
        if not roster.endpoint_is_external and name not in roster.balancers:
            theirs[endpoint] = "the endpoint"
        for interface, addresses in report.addresses.items():
            found += [
                problem(
                    f"{name}: its {interface} has {address}, the address of {theirs[address]}",
                    why="packets for it arrive at either",
                    fix=on(name, f"ip address del {address} dev {word(interface)}"),
                )
                for address in addresses
                if address in theirs
            ]
    return found


def _leads_to(name: str, other: str, roster: Roster) -> Problem:
    shown = f"`ssh {roster.ssh.get(name, name)} ip -4 address show` shows where it gets"
    return problem(
        f"{name}: ssh leads to {other}",
        why=f"it has the address {roster.addresses[other]}, not {roster.addresses[name]}",
        fix=f"{shown}: correct its ssh_hostname or its address in the inventory, or what that name resolves to",
    )


def unit_problems(roster: Roster, observation: Observation) -> list[Problem]:
    """Stopped is redundancy gone now, disabled is redundancy gone with the next power cut.

    A member that ended for a reason which is known is named with that alone: starting it does not help.
    """
    found = []
    for name, report in observation.reports.items():
        for unit in roster.units.get(name, ()) if "units" not in report.failed else ():
            state = report.units.get(unit)
            if state is None or not state.active:
                named_elsewhere = unit == "etcd" and report.etcd.failure is not None
                own = spoiled(name, roster, report, unit)
                found += [] if named_elsewhere else [_not_running(name, unit, state, own)]
            elif not state.enabled:
                found.append(problem(f"{name}: {unit} is disabled: it would not start at boot", fix=UP))
            elif state.missing_program:
                what = f"{name}: {unit} would not start again"
                found.append(
                    problem(what, why=f"its program {state.missing_program} is missing or not executable", fix=UP)
                )
    return found


def _not_running(name: str, unit: str, state: Unit | None, own: str | None) -> Problem:
    """One that systemd starts again and again needs somebody to end the cause; any other is `up`'s to start.

    So is one that starts with files that are not haplane's: ``own`` is which.
    """
    why = "it is masked" if state and state.masked else state.why if state else "it is not installed"
    again = state is not None and state.starting and unit != "etcd"
    log = f"`journalctl -u {unit} -n 50` on {name} shows the rest"
    if own:
        return problem(f"{name}: {unit} is not running", why=f"{own}; {why}" if why else own, fix=UP)
    return problem(f"{name}: {unit} is not running", why=why or None, fix=log if again else UP)


def unusable_certificates(roster: Roster, observation: Observation) -> list[Problem]:
    """Files that what serves with them does not start with: it may run on with what it read before.

    A kubelet's kubeconfig holds none: it names a file. One that differs from a CA that was replaced is right.
    """
    found = []
    replaced = {name for name, path in replaced_copies(roster, observation) if path == host_paths.KUBERNETES_CA_CRT}
    for host, report in sorted(observation.reports.items()):
        found += [
            problem(f"{host}: {path} cannot be used", why=why, fix=UP)
            for path, why in sorted(report.unusable.items())
            if not (host in replaced and why == OTHER_CA)
        ]
        empty = {path for path, pem in report.certificates.items() if not pem and path not in report.unusable}
        if paths := sorted(empty - {host_paths.KUBELET_KUBECONFIG}):
            found.append(
                problem(
                    f"{host}: {few(paths)} cannot be used: what needs it will not start again",
                    why=UNUSABLE,
                    fix=UP,
                )
            )
    return found
