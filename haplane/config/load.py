"""From an inventory file to a validated Inventory, or to every problem at once. No host is contacted.

The file is a plain pyinfra inventory: module-level lists are groups (``masters``, ``load_balancers``, ``etcd``,
``workers``, ``leaving``), an item is ``"name"`` or ``("name", {data})``, a group may be ``(list, {data})``; the
mapping ``cluster`` holds the settings. Without ``etcd`` the masters are the etcd members. It is run with runpy;
group_data directories are not read. As in pyinfra a host's data is gathered from all groups it is in; here two
groups that contradict each other are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from haplane.config import explain, rules, source
from haplane.config.draft import Draft
from haplane.config.model import Cluster, Host, Inventory
from haplane.config.problem import ABSENT, Problem, shown, unknown
from haplane.errors import Problems

Context = Mapping[str, Path]


def load_inventory(path: str | Path) -> Inventory:
    """The validated inventory of that file.

    Paths in it are relative to its directory, ``~/`` is the home directory. Raises BadInput: for a file that cannot
    be read or run as such, else as Problems with everything that is wrong.
    """
    path = Path(path)
    written = source.read(path)
    context = {"directory": path.parent.absolute(), "home": Path.home()}
    cluster, wrong, cluster_problems = _cluster(written.cluster, context)
    hosts, host_problems = _hosts(written, context)
    names = {group: tuple(member.name for member in written.groups[group]) for group in source.GROUPS}
    names["etcd"] = names["etcd"] or names["masters"]
    groups = {group: tuple(hosts[name] for name in names[group] if name in hosts) for group in source.GROUPS}
    draft = Draft(cluster, names, groups, wrong | written.wrong)
    problems = [*written.problems, *cluster_problems, *host_problems, *rules.problems(draft)]
    if problems:
        raise _all(str(path), problems)
    return Inventory(path=str(path), cluster=cluster, **groups)


def _all(path: str, problems: list[Problem]) -> Problems:
    each = {(problem.field, problem.what): problem for problem in problems}.values()
    count = "1 problem" if len(each) == 1 else f"{len(each)} problems"
    return Problems(f"{path} has {count}; no host was contacted", [problem.error(path) for problem in each])


def _cluster(value: object, context: Context) -> tuple[Cluster, frozenset[str], list[Problem]]:
    """The settings, those among them that are wrong (defaults stand for them), and what is wrong with them."""
    stand_in = {"name": "unnamed", "endpoint": "unnamed.invalid"}
    if not isinstance(value, dict):
        what = "is missing" if value is ABSENT else "not a mapping"
        problem = Problem("cluster", value, what, 'write cluster = {"name": "...", "endpoint": "ADDRESS:PORT"}')
        return Cluster.model_validate(stand_in), frozenset(stand_in), [problem]
    try:
        return Cluster.model_validate(value, context=context), frozenset(), []
    except ValidationError as error:
        wrong = explain.top_level(error.errors(include_url=False))
        sound = {key: setting for key, setting in value.items() if isinstance(key, str) and key not in wrong}
        return Cluster.model_validate(stand_in | sound, context=context), wrong, list(explain.cluster_problems(error))


def _hosts(written: source.Source, context: Context) -> tuple[dict[str, Host], list[Problem]]:
    """The valid hosts by name, and what is wrong with the others."""
    hosts: dict[str, Host] = {}
    problems: list[Problem] = []
    for name, label, places in source.by_host(written.groups):
        mistakes = [*_contradictions(name, places), *_unknown_settings(name, places)]
        data = {key: value for _, member in reversed(places) for key, value in member.data.items()}
        try:
            hosts[name] = Host.model_validate(_arranged(name, data), context=context)
        except ValidationError as error:
            own = {key for _, member in places for key in member.own}
            of_group = {
                key: f"{group}: group data" for group, member in places for key in member.shared if key not in own
            }
            mistakes += explain.host_problems(error, label, data, of_group)
        problems += mistakes
    return hosts, problems


def _arranged(name: str, data: source.Data) -> dict[str, object]:
    """A host's data as the model has it; whoever gives no ssh_hostname is reached at its address."""
    ssh = {place[1]: data[key] for key, place in explain.HOST_SETTINGS.items() if place[0] == "ssh" and key in data}
    host: dict[str, object] = {"name": name, "ssh": ssh}
    host |= {key: data[key] for key in ("address", "labels") if key in data}
    if "address" in data:
        ssh.setdefault("hostname", data["address"])
    return host


def _contradictions(name: str, places: tuple[tuple[str, source.Member], ...]) -> Iterator[Problem]:
    first_group, first = places[0]
    for group, member in places[1:]:
        for key in explain.HOST_SETTINGS:
            mine, other = member.data.get(key, ABSENT), first.data.get(key, ABSENT)
            if _differ(mine, other):
                yield Problem(
                    f"{group}: {name}: {key}",
                    mine,
                    f"{first_group} has {shown(key, other)} for the same host",
                    "use the same value in both groups, or set it in one of them",
                )


def _differ(one: object, other: object) -> bool:
    """Whether two values differ, without calling a foreign ``__eq__``: other types are refused as such anyway."""
    plain = (str, int, bool, float, type(None))
    return type(one) in plain and type(other) in plain and (type(one), one) != (type(other), other)


def _unknown_settings(name: str, places: tuple[tuple[str, source.Member], ...]) -> Iterator[Problem]:
    for group, member in places:
        for data, label in ((member.own, f"{group}: {name}"), (member.shared, f"{group}: group data")):
            for key, value in data.items():
                if not isinstance(key, str) or key not in explain.HOST_SETTINGS:
                    written = key if isinstance(key, str) else f"({type(key).__name__})"
                    yield unknown(f"{label}: {written}", key, value, explain.HOST_SETTINGS)
