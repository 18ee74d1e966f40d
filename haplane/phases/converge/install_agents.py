"""The snapshot agent, on etcd members."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.domain.plan import Kind
from haplane.errors import HaplaneError
from haplane.threads import on_all


def install_agents(context: Context) -> None:
    """On all members at once. A snapshot that is under way goes on with the agent it began with."""
    agent = context.request.agent
    if agent is None:
        raise HaplaneError("the snapshot agent was not packed", next_step="run again with --debug")
    hosts = context.hosts(Kind.AGENT)
    context.progress(", ".join(host.name for host in hosts), "Install the snapshot agent")
    _, errors = on_all(hosts, lambda host: context.executor.install_agent(host, agent.directory, agent.content))
    if errors:
        raise next(iter(errors.values()))


INSTALL_AGENTS = Phase("Install the snapshot agent", (Kind.AGENT,), install_agents)
