"""From the request and the view to the decision. :func:`decide` is pure."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.decision import Decision
from haplane.context.phase import Look
from haplane.context.request import Request
from haplane.context.view import View
from haplane.desired.hosts import Sources, cluster_wants, wants_of
from haplane.desired.kubelets import approvals, verifies_kubelets
from haplane.desired.signers import why_new_signer
from haplane.desired.snapshots import OWN_FILES
from haplane.domain import host_paths
from haplane.domain.clocks import clock_offsets
from haplane.domain.decide import decide as decide_on_hosts
from haplane.domain.identity_origin import Origin, origin_of_identity
from haplane.domain.membership import Change
from haplane.domain.plan import MASTER_EVIDENCE, Kind, Plan, Step, Wants
from haplane.domain.steps.snapshots import SnapshotWants, keys_fingerprint, snapshot_steps
from haplane.errors import INVENTORY, HaplaneError, Refused
from haplane.observation.membership import foresee_changes
from haplane.observation.observe import unreachable
from haplane.pki.certificates import CertificateFacts
from haplane.pki.cluster_identity import IDENTITY_PATHS, ClusterIdentity

CAS = (host_paths.KUBERNETES_CA_CRT, f"{host_paths.FRONT_PROXY_CA_STEM}.crt", host_paths.ETCD_CA_CRT)
NODE_EVIDENCE = (*MASTER_EVIDENCE, host_paths.SUPER_ADMIN_KUBECONFIG)


def decide(request: Request, view: View, before: Decision, changes: Sequence[Change] = ()) -> Decision:
    """The plan, with what it rests on. ``before`` brings what this run has settled: identity, restoration.

    ``changes`` are those of etcd's membership. Raises Refused for masters that disagree.
    """
    inventory = request.inventory
    masters = [host.name for host in inventory.masters]
    origin = identity_origin(request, view, before)
    if origin is Origin.MASTERS:
        _refuse_expired_cas(request, view)
    etcd_ca, kubernetes_ca = _certificates(request, view, before, origin)
    kubernetes = view.observation.kubernetes()
    verify_kubelets = verifies_kubelets(inventory, view.observation.of(masters), kubernetes)
    decision = replace(before, etcd_ca=etcd_ca, kubernetes_ca=kubernetes_ca, verify_kubelets=verify_kubelets)
    wants = {
        host.name: _wants(request, view, decision, host, replaced=origin is Origin.NEW)
        for host in view.reachable(inventory.hosts)
    }
    cluster = cluster_wants(inventory, request.required_manifest, request.user_files, verify_kubelets=verify_kubelets)
    offsets = clock_offsets(view.observation, view.window)
    steps = decide_on_hosts(cluster, wants, view.observation, changes, offsets).steps
    approved, _ = approvals(inventory, kubernetes)
    plan = Plan((*steps, *approved, *_snapshot_steps(request, view, decision, wants)))
    return replace(decision, wants=wants, plan=plan.ordered([host.name for host in inventory.everyone]))


def identity_origin(request: Request, view: View, decision: Decision) -> Origin:
    """Whether masters hold the cluster's identity, or a new one is due. Raises Refused for masters that disagree."""
    masters = [host.name for host in request.inventory.masters]
    restores = decision.restoration is not None
    settled = [path for path in IDENTITY_PATHS if not restores or path != host_paths.ENCRYPTION_YAML]
    given = restores and decision.identity is not None
    return origin_of_identity(masters, view.observation.reports, settled, NODE_EVIDENCE, given=given)


def _certificates(request: Request, view: View, before: Decision, origin: Origin) -> tuple[bytes, bytes]:
    """Etcd's and Kubernetes' CA certificate."""
    if origin is Origin.NEW:
        if before.identity is None:
            raise HaplaneError("internal error: a new cluster has no keys", next_step="please report it")
        return before.identity.etcd.certificate, before.identity.kubernetes.certificate
    etcd_ca, kubernetes_ca = (
        _shown(request, view, path) for path in (host_paths.ETCD_CA_CRT, host_paths.KUBERNETES_CA_CRT)
    )
    if not etcd_ca:
        raise HaplaneError("no master reports etcd's CA certificate", next_step="run again with --debug")
    return etcd_ca, kubernetes_ca


def _shown(request: Request, view: View, path: str) -> bytes:
    """The certificate at ``path`` as most masters that answered show it; empty where none has it."""
    shown = [view.report(host).certificates.get(path, "") for host in view.reachable(request.inventory.masters)]
    counted = Counter(pem for pem in shown if pem).most_common(1)
    return counted[0][0].encode() if counted else b""


def _refuse_expired_cas(request: Request, view: View) -> None:
    """Raises Refused for a CA that has expired: what it issues is as dead, after restarts of everything."""
    shown = {path: _shown(request, view, path) for path in CAS}
    read = {path: CertificateFacts.from_pem(pem, path) for path, pem in shown.items() if pem}
    if expired := {path: facts for path, facts in read.items() if facts.not_after <= view.seen_at}:
        raise Refused(
            f"CAs of this cluster have expired: {', '.join(expired)}; nothing was changed",
            where=", ".join(host.name for host in request.inventory.masters),
            why="; ".join(f"{one.subject} ended at {one.not_after:%Y-%m-%d %H:%M} UTC" for one in expired.values()),
            next_step="renew them with the same keys (docs/certificates.md has the commands), "
            f"then `haplane certs renew {INVENTORY}`",
        )


def _wants(request: Request, view: View, decision: Decision, host: Host, *, replaced: bool) -> Wants:
    """With ``replaced`` all keys are due: leftovers of an identity that never served are replaced as a whole."""
    sources = Sources(
        inventory=request.inventory,
        manifest=request.required_manifest,
        etcd_ca=decision.etcd_ca,
        kubernetes_ca=decision.kubernetes_ca,
        s3_files=request.s3_files,
        user_files=request.user_files,
        verify_kubelets=decision.verify_kubelets,
        renew=request.renew,
    )
    wants = wants_of(sources, host, view.report(host), view.seen_at)
    if replaced:
        wants = replace(wants, keys=dict.fromkeys(wants.identity, "a new cluster"))
    if host_paths.MEMBER_SIGNING_KEY in wants.identity and (why := _why_new_signer(request, view, decision, host)):
        signer = dict.fromkeys((host_paths.MEMBER_SIGNING_KEY, host_paths.MEMBER_SIGNER_JSON), why)
        wants = replace(wants, keys={**wants.keys, **signer})
    return wants


def _why_new_signer(request: Request, view: View, decision: Decision, host: Host) -> str | None:
    snapshots = request.inventory.cluster.snapshots
    return why_new_signer(
        view.report(host),
        cluster=request.inventory.cluster.name,
        member=host.name,
        issuer_digest=identity_digests(request, view, decision).get(f"{host_paths.SIGNING_STEM}.pub"),
        revoked=snapshots.revoked_signing_keys if snapshots else (),
    )


def _snapshot_steps(request: Request, view: View, decision: Decision, wants: Mapping[str, Wants]) -> list[Step]:
    """None for a verb that has not packed the agent: scheduling is not its business."""
    snapshots, members = request.inventory.cluster.snapshots, [host.name for host in request.inventory.etcd]
    if snapshots is not None and request.agent is None:
        return []
    wanted = None
    if snapshots is not None and request.agent is not None:
        wanted = SnapshotWants(
            recipients=snapshots.recipients,
            agent=PurePosixPath(request.agent.directory).name,
            fingerprint=keys_fingerprint(identity_digests(request, view, decision)),
            has_bucket=snapshots.s3 is not None,
        )
    return snapshot_steps(wanted, members, wants, view.observation.reports, OWN_FILES)


def identity_digests(request: Request, view: View, decision: Decision) -> dict[str, str]:
    """SHA-256 by path of everything that makes the cluster this cluster, as the masters have it or are about to."""
    found = {path: view.digest_on(request.inventory.masters, path) for path in IDENTITY_PATHS}
    held = {path: digest for path, digest in found.items() if digest is not None}
    if decision.identity is None:
        return held
    made = {path: hashlib.sha256(content).hexdigest() for path, content in decision.identity.to_files().items()}
    same = held.get(host_paths.ETCD_CA_CRT) == made[host_paths.ETCD_CA_CRT] and len(held) == len(made)
    return held if same else made


def decide_convergence(context: Context) -> None:
    """What `up` will do. Raises Refused when a change of etcd's membership would not be safe."""
    decide_steps(context, foresee_changes(context))


def decide_steps(context: Context, changes: Sequence[Change] = ()) -> None:
    """The plan, whatever became of members' data. A new cluster's keys are made here, in memory.

    Raises Unreachable while a host is missing that a new cluster, or new etcd data, would have to be made with.
    """
    decision = context.decision
    if identity_origin(context.request, context.view, decision) is Origin.NEW:
        left_out = decision.restoration.without if decision.restoration else ()
        if set(context.observation.unreachable) - set(left_out):
            raise unreachable(context)
        made = decision.identity or ClusterIdentity.generate(context.inventory.cluster.name, context.now())
        decision = replace(decision, identity=made)
    context.adopt(decide(context.request, context.view, decision, changes))
    if context.observation.unreachable and context.plan.of(Kind.FORM_ETCD):
        raise unreachable(context)


DECIDE = Look("Plan changes", decide_convergence)
