"""Staged files take the places of those that are used, and give them back: what a step of an upgrade switches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.deploys import upgrade as recipes
from haplane.domain import host_paths
from haplane.domain.files import Part
from haplane.domain.plan import Kind
from haplane.domain.upgrade_advice import way_back
from haplane.domain.upgrade_plan import Group, group_of
from haplane.errors import FIX_AND_RERUN, HaplaneError, LockLost, Unreachable
from haplane.observation.upgrade import running_on


def switch(context: Context, host: Host, group: Group, part: Part | None = None) -> None:
    """The group's binaries that differ, with the files of ``part`` that do."""
    paths = list(context.plan.items(host.name, group.value))
    if part is not None:
        differing = set(context.plan.items(host.name, Kind.FILES))
        files = [file for file in context.wants[host.name].files if file.part is part and file.path in differing]
        version = context.manifest.kubernetes_version
        staged = [replace(file, path=host_paths.staged(version, file.path)) for file in files]
        context.deploy([host], recipes.stage_files, staged=staged)
        paths += [file.path for file in files]
    if paths:
        context.deploy([host], recipes.switch_files, paths=paths, **_directories(context))


@contextmanager
def switching(
    context: Context,
    host: Host,
    group: Group,
    again: Callable[[], None],
    part: Part | None = None,
    *,
    stays: Callable[[], str | None] = lambda: None,
) -> Iterator[Callable[[], None]]:
    """Gives what switches the group. If the block fails after that, its files are put back and ``again`` starts them.

    Raises HaplaneError with why it failed, and whether the host serves as before. A host that cannot be reached any
    more is left as it is, and one of which ``stays`` returns why its old files would not start.
    """
    begun = False

    def begin() -> None:
        nonlocal begun
        begun = True
        switch(context, host, group, part)

    version = context.manifest.kubernetes_version
    try:
        yield begin
    except HaplaneError as error:
        if not begun or isinstance(error, Unreachable | LockLost):
            raise
        if kept := stays():
            raise type(error)(
                f"{host.name} did not become ready as {version}: it keeps the new files, and the run ends here",
                where=error.where,
                why=f"{error.brief}; {kept}",
                next_step=f"`haplane status {context.inventory.path}` shows what it lacks; fix it, then run again",
            ) from error
        context.progress(host.name, f"does not become ready as {version}: rolling back")
        _roll_back(context, host, error, partial(_switch_back, context, host, group, part), again)
        raise type(error)(
            f"{host.name} did not become ready as {version}: it runs its old version again, and the run ends here",
            where=error.where,
            why=error.brief,
            next_step=f"{FIX_AND_RERUN}{_or_back(context)}",
        ) from error


def _or_back(context: Context) -> str:
    """While an API server runs the older version."""
    back = way_back(running_on(context), context.manifest.kubernetes_version, context.inventory.path)
    return f"; or go back: {back}" if back else ""


def _roll_back(context: Context, host: Host, error: HaplaneError, *steps: Callable[[], None]) -> None:
    """Raises HaplaneError with both reasons when one of the steps fails as well."""
    try:
        for step in steps:
            step()
    except HaplaneError as second:
        version = context.manifest.kubernetes_version
        raise HaplaneError(
            f"{host.name} became ready neither as {version} nor in its old version",
            where=error.where,
            why=f"{error.brief}; then {second.brief}",
            next_step=f"`haplane status {context.inventory.path}`",
        ) from error


def _switch_back(context: Context, host: Host, group: Group, part: Part | None = None) -> None:
    """All of them that this or an interrupted run replaced."""
    wanted = context.wants[host.name]
    binaries = [path for path in wanted.bundle if group_of(path, wanted.roles) is group]
    files = [file.path for file in wanted.files if file.part is part]
    context.deploy([host], recipes.switch_back, paths=binaries + files, **_directories(context))


def _directories(context: Context) -> dict[str, str]:
    version = context.manifest.kubernetes_version
    return {"new": host_paths.staged(version, ""), "old": host_paths.replaced_by(version)}
