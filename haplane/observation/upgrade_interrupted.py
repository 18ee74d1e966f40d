"""`up` between two versions: an upgrade was interrupted, and what keeps it from going on is repaired as it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Look
from haplane.domain.plan import few
from haplane.domain.upgrade_advice import OtherVersion, other_version
from haplane.domain.upgrade_interrupted import (
    is_new,
    keep_versions,
    may_join,
    may_join_as_worker,
    staged_on_most,
)
from haplane.domain.upgrade_route import APISERVER
from haplane.domain.versions import Running, parse, running_versions
from haplane.errors import HaplaneError, Refused, Several
from haplane.observation.decide import decide_convergence
from haplane.observation.preconditions import refuse_another_version


def refuse_another_version_unless_interrupted(context: Context) -> None:
    """Raises Refused as :func:`refuse_another_version`; not between two versions, where none is changed.

    Certificates are all renewed by restarts, which the upgrade makes.
    """
    if context.request.renew or not hop_was_interrupted(context):
        refuse_another_version(context)


def refuse_another_version_but_the_newest(context: Context) -> None:
    """The same for a restore, which brings all hosts to one version: between two it has to be the newer one."""
    found = version_that_runs(context)
    if found is None or not found.between:
        refuse_another_version(context)
    elif not found.restores:
        raise Refused(
            f"an upgrade was interrupted: a restore brings all hosts to Kubernetes {found.running}, "
            f"the inventory wants {found.wanted}; nothing was changed",
            where="; ".join(map(str, running(context)[:6])),
            why="an API server reads what its own and the minor version before it stored",
            next_step=_with_the_newest(context, found),
        )


def fit_advice(context: Context, error: HaplaneError) -> None:
    """Have the next steps of an error name commands that work in the versions that run."""
    if found := version_that_runs(context):
        for one in (error, *(error.problems if isinstance(error, Several) else ())):
            one.next_step = one.next_step and found.fitted(one.next_step)


def hop_was_interrupted(context: Context) -> bool:
    """As masters and members report what they run."""
    found = version_that_runs(context)
    return found is not None and found.between


def version_that_runs(context: Context) -> OtherVersion | None:
    """Where it is not the inventory's."""
    staged = staged_on_most(context.report(host) for host in context.reachable(context.inventory.masters))
    upgrade = context.request.upgrade
    wanted = upgrade.version if upgrade else context.inventory.cluster.kubernetes_version
    return other_version(running(context), members(context), wanted, staged=staged)


def running(context: Context) -> tuple[Running, ...]:
    """API servers and kubelets of masters, but for those that a restore leaves out."""
    kubernetes, left_out = context.observation.kubernetes(), context.request.restore.without
    masters = [host.name for host in context.inventory.masters if host.name not in left_out]
    return running_versions(masters, context.observation.reports, kubernetes.nodes if kubernetes else ())


def members(context: Context) -> list[str]:
    """The versions of etcd's members."""
    statuses = [context.report(host).etcd.status for host in context.reachable(context.inventory.etcd)]
    return [status.version for status in statuses if status is not None]


def decide_as_it_runs(context: Context) -> None:
    """What `up` will do; between two versions, of that what changes none. New workers may have to wait.

    Raises as :func:`decide_convergence`, and Refused for a new master or member that may not run beside the others.
    """
    decide_convergence(context)
    found = version_that_runs(context)
    if found is None or not found.between:
        return
    etcd_fits = may_join(context.manifest.etcd_version, members(context))
    _refuse_new_hosts(context, found, etcd_fits=etcd_fits)
    apiservers = [one.version for one in running(context) if one.program == APISERVER]
    waiting = [] if may_join_as_worker(found.wanted, apiservers) else _new(context, context.inventory.workers)
    plan = keep_versions(
        context.plan, context.wants, context.observation.reports, etcd_fits=etcd_fits, waiting=waiting
    )
    unfinished = _unfinished(context, waiting)
    context.adopt(replace(context.decision, plan=plan, headline=(unfinished,) if plan.steps else ()))
    if unfinished not in context.result.warnings:
        context.result.warnings.append(unfinished)


def _unfinished(context: Context, waiting: Sequence[str]) -> str:
    versions = sorted({one.version for one in running(context)}, key=parse)
    waits = f"; {few(waiting)} can join after that" if waiting else ""
    without = "".join(f" --without {name}" for name in waiting)
    return (
        f"an upgrade was interrupted (hosts run Kubernetes {' and '.join(versions)}): no version is changed here, "
        f"`haplane upgrade {context.inventory.path}{without}` completes it{waits}"
    )


def _new(context: Context, hosts: Sequence[Host]) -> list[str]:
    there = [host.name for host in context.reachable(hosts) if host.name in context.wants]
    return [name for name in there if is_new(context.wants[name], context.observation.reports[name])]


def _refuse_new_hosts(context: Context, found: OtherVersion, *, etcd_fits: bool) -> None:
    masters, voters = _new(context, context.inventory.masters), _new(context, context.inventory.etcd)
    if masters and not found.fits:
        others = sorted({one.version for one in running(context)}, key=parse)
        why = f"Kubernetes {found.wanted} may not run beside {', '.join(others)}"
    elif voters and not etcd_fits:
        why = f"etcd {context.manifest.etcd_version} may not join {', '.join(sorted(set(members(context))))}"
    else:
        return
    raise Refused(
        f"{few(masters or voters)} cannot be made anew in this version; nothing was changed",
        why=f"an upgrade was interrupted, and {why}",
        next_step=_with_the_newest(context, found),
    )


def _with_the_newest(context: Context, found: OtherVersion) -> str:
    return f'set cluster["kubernetes_version"] in {context.inventory.path} to "{found.running}", then run again'


REFUSE_ANOTHER_VERSION_UNLESS_INTERRUPTED = Look(
    "Refuse another version than the one that runs, unless an upgrade was interrupted",
    refuse_another_version_unless_interrupted,
)
REFUSE_ANOTHER_VERSION_BUT_THE_NEWEST = Look(
    "Refuse another version than the one that runs, or the newer of two", refuse_another_version_but_the_newest
)
DECIDE_AS_IT_RUNS = Look("Plan changes that no version decides", decide_as_it_runs)
