"""Recipes and operations against pyinfra's fake connector: what would be run, given what facts say."""

from collections.abc import Callable, Mapping
from typing import Any

from pyinfra.api.config import Config
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.deploy import add_deploy
from pyinfra.api.facts import get_facts
from pyinfra.api.inventory import Inventory
from pyinfra.api.operation import add_op
from pyinfra.api.operations import run_ops
from pyinfra.api.state import State
from pyinfra.context import ctx_host, ctx_state

Answers = Mapping[str, Any]
FACTS = ("stat.S_IMODE(os.stat(path)", 'test ! -e "$path" || echo', "StateChangeTimestampMonotonic")
"""What the commands of facts hold: they look and change nothing."""


def commands(recipe: Callable[..., object], answers: Answers | None = None, **arguments: Any) -> list[str]:
    """The commands that a recipe or operation runs on one host ``m1``, those of facts left out."""
    return on_hosts(recipe, {"m1": answers or {}}, **arguments)["m1"]


def on_hosts(recipe: Callable[..., object], hosts: Mapping[str, Answers], **arguments: Any) -> dict[str, list[str]]:
    """The same for several hosts; ``hosts`` maps each to its answers: part of a command -> lines it prints."""
    ran = _everything(recipe, hosts, **arguments)
    return {name: [one for one in said if not any(fact in one for fact in FACTS)] for name, said in ran.items()}


def _everything(
    recipe: Callable[..., object], hosts: Mapping[str, Answers], **arguments: Any
) -> dict[str, list[str]]:
    state = _connected(hosts)
    try:
        (add_deploy if hasattr(recipe._inner, "deploy_name") else add_op)(state, recipe, **arguments)
        run_ops(state)
        assert not state.failed_hosts
        return {host.name.removeprefix("@fake/"): host.connector.executed_commands for host in state.inventory}
    finally:
        _disconnect(state)


def fact(kind: type, lines: list[str], **arguments: Any) -> Any:
    """What a fact makes of these lines."""
    state = _connected({"m1": {"": lines}})
    try:
        return next(iter(get_facts(state, kind, kwargs=arguments).values()))
    finally:
        _disconnect(state)


def _connected(hosts: Mapping[str, Answers]) -> State:
    names = [
        (name, {"fake_responses": dict(answers), "fake_delay": 0, "fake_delay_jitter": 0})
        for name, answers in hosts.items()
    ]
    inventory = Inventory(([(f"@fake/{name}", data) for name, data in names], {}))
    state = State(inventory=inventory, config=Config(FAIL_PERCENT=0), check_for_changes=False)
    connect_all(state)
    return state


def _disconnect(state: State) -> None:
    disconnect_all(state)
    ctx_state.reset()
    ctx_host.reset()
