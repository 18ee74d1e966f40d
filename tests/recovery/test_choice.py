"""What is restored, and what is refused before anything is changed."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import samples
from contexts import FakeExecutor

from haplane.domain import host_paths
from haplane.domain.assessment import Assessment, RecoveryAction, assess, members_of
from haplane.domain.observed import Observation
from haplane.domain.restoration import Journal
from haplane.errors import HaplaneError, Refused, UnfitHosts, Unreachable
from haplane.recovery import candidates, choice
from haplane.recovery.candidates import Origin, Source
from haplane.recovery.choice import choose_source
from haplane.recovery.cluster_keys import refuse_another_cluster
from haplane.recovery.context import RestoreContext
from haplane.recovery.data_age import refuse_old
from haplane.recovery.database import Database
from haplane.recovery.preconditions import assess_cluster, refuse_more_than_needed
from haplane.recovery.request import RestoreRequest
from haplane.snapshots.catalog import SnapshotCatalog

STAMP = "20261122T190000Z"
OTHER_UID = "0f5a2c1e-6d0e-4c49-9c39-2f3b0f7a1d11"
NOW = samples.NOW


def journal(stage="preparing", **changes):
    fields = {"source": "file x", "database": "0" * 64, "revision": 5, "bump": 10, "uid": ""} | changes
    return Journal(timestamp=STAMP, stage=stage, **fields)


def asked(observation: Observation, inventory=None, **request) -> RestoreContext:
    given = inventory or samples.inventory()
    return RestoreContext(RestoreRequest(**request), given, observation, NOW, tools=None, executor=FakeExecutor())


def off(observation, *names):
    reports = {name: report for name, report in observation.reports.items() if name not in names}
    return Observation(reports=reports, unreachable=dict.fromkeys(names, "off"))


def refused(context):
    return refuse_more_than_needed(context, assess_cluster(context))


def test_a_healthy_cluster_is_not_restored_by_mistake():
    converged = samples.converged(samples.inventory())
    with pytest.raises(Refused, match="can be recovered without losing data") as refusal:
        refused(asked(converged))
    assert "at revision 100" in refusal.value.why
    assert "--accept-loss" in refusal.value.next_step
    refused(asked(converged, accept_loss=True))


def test_what_is_off_may_hold_the_data_until_somebody_says_that_it_is_gone():
    one = off(samples.fresh(samples.inventory()), "m2", "m3")
    with pytest.raises(Refused, match="without losing data"):
        refused(asked(one, without=("m2",)))
    refused(asked(one, without=("m2", "m3")))


def test_a_missing_host_is_named_before_anything_else_is_looked_at(tmp_path):
    context = asked(off(samples.fresh(samples.inventory()), "m3"), file=tmp_path, unsigned=True)
    with pytest.raises(Unreachable, match="m3 cannot be reached") as refusal:
        choose_source(context)
    assert "--without m3" in refusal.value.next_step


def source(**changes):
    authority = samples.identity().kubernetes.certificate
    fields = {"sha256": "0" * 64, "size": 1, "revision": 5, "records": 1, "keys": 1, "uid": "cluster-1"}
    database = Database(path=Path(), **(fields | {"ca": authority} | changes))
    return Source("file x", database, samples.NOW - timedelta(seconds=45), signed=False)


def test_another_clusters_data_is_refused():
    pem = samples.identity().kubernetes.certificate.decode()
    context = asked(trusting(samples.converged(samples.inventory()), pem, "m1", "m2"))
    refuse_another_cluster(context, source())
    with pytest.raises(Refused, match="another cluster") as refusal:
        refuse_another_cluster(context, source(uid=OTHER_UID))
    assert OTHER_UID in refusal.value.why
    with pytest.raises(Refused, match="another cluster") as refusal:
        refuse_another_cluster(context, source(ca=samples.identity().etcd.certificate))
    assert refusal.value.where == "file x; this cluster's CA is that of m1, m2"


def trusting(observation, pem, *masters):
    for name in masters:
        observation = samples.altered(observation, name, certificates={host_paths.KUBERNETES_CA_CRT: pem})
    return observation


def test_one_master_does_not_make_a_snapshot_another_clusters():
    """Others have lost theirs, and the one that is left reports another CA and another UID."""
    observation = trusting(samples.fresh(samples.inventory()), samples.identity().etcd.certificate.decode(), "m1")
    told = samples.converged(samples.inventory()).reports["m1"].kubernetes.model_dump() | {"uid": OTHER_UID}
    refuse_another_cluster(asked(samples.altered(observation, "m1", kubernetes=told)), source())


@pytest.mark.parametrize("others", [("m1",), ("m1", "m2")])
def test_where_no_majority_tells_which_cluster_it_is_most_members_data_do(monkeypatch, others):
    databases = {name: source().database for name in others} | {"m3": source(uid=OTHER_UID, revision=9).database}
    monkeypatch.setattr(candidates, "save_survivor", lambda host, *_, **__: databases[host.name])
    converged = samples.converged(samples.inventory())
    reports = {name: report.model_copy(update={"kubernetes": None}) for name, report in converged.reports.items()}
    context = asked(off(Observation(reports=reports), *({"m1", "m2"} - {*others})))
    lost = Assessment(RecoveryAction.SURVIVOR, ("m1", "m2", "m3"), "")
    if len(others) > 1:
        assert candidates.find_source(context, lost).name == "member m1"
    else:
        with pytest.raises(Refused, match="data of different clusters"):
            candidates.find_source(context, lost)


def test_a_member_with_another_clusters_data_hides_nobody_elses(monkeypatch):
    """Its disk was copied, or it lies: it has the highest revision, and the restore used to end there."""
    pem = samples.identity().kubernetes.certificate.decode()
    observation = trusting(samples.converged(samples.inventory()), pem, "m1", "m2", "m3")
    databases = {"m1": source().database, "m2": source(uid=OTHER_UID, revision=9).database}

    def save(host, *_, **__):
        if host.name not in databases:
            raise HaplaneError("it is damaged")
        return databases[host.name]

    monkeypatch.setattr(candidates, "save_survivor", save)
    context = asked(samples.altered(observation, "m3", certificates={host_paths.KUBERNETES_CA_CRT: "other"}))
    lost = Assessment(RecoveryAction.SURVIVOR, ("m1", "m2", "m3"), "")
    assert candidates.find_source(context, lost).name == "member m1"


def test_a_newer_snapshot_that_cannot_be_used_hides_nothing_that_a_member_holds(monkeypatch):
    """One stolen key signs such a one: without it `restore` named an older one, and with that the member's data."""
    context = asked(samples.converged(samples.inventory()))
    newer = SimpleNamespace(manifest=SimpleNamespace(revision=9, kubernetes_version=None, id="forged"))
    catalog = SimpleNamespace(usable=(newer,), problems={}, choose=lambda _: newer, older=lambda _: None)

    def refuse(*_, **__):
        raise Refused("payload is not what was signed", where="bucket: forged")

    monkeypatch.setattr(candidates, "_catalog", lambda _: catalog)
    monkeypatch.setattr(candidates, "open_and_verify", refuse)
    monkeypatch.setattr(candidates, "save_survivor", lambda *_, **__: source().database)
    lost = Assessment(RecoveryAction.SURVIVOR, ("m1", "m2", "m3"), "")
    with pytest.raises(Refused, match="not what was signed") as refusal:
        candidates.find_source(context, lost)
    assert "add --accept-loss to restore what member m1 still holds" in refusal.value.next_step
    accepting = replace(context, request=RestoreRequest(accept_loss=True))
    found = candidates.find_source(accepting, lost)
    assert (found.name, found.known) == ("member m1", (9,))


def test_where_a_listing_was_cut_the_refusal_says_so_and_how_to_name_one(monkeypatch):
    unread = {"bucket": "it has 30000 snapshots, of which the newest 20000 were read"}
    monkeypatch.setattr(candidates, "_catalog", lambda _: SnapshotCatalog((), unread, NOW))
    with pytest.raises(Refused, match="nothing to restore from") as refusal:
        candidates.find_source(asked(samples.fresh(samples.inventory())), Assessment(RecoveryAction.REBUILD, (), "-"))
    assert "bucket: it has 30000 snapshots, of which the newest 20000 were read" in refusal.value.why
    assert "--snapshot" in refusal.value.next_step


def without_masters(monkeypatch, authority_sha256, identity):
    """etcd hosts with data whose CA has that digest, empty masters, and a source with those keys."""
    inventory = samples.inventory(etcd=3)
    observation = samples.fresh(inventory)
    for name in ("e1", "e2", "e3"):
        observation = samples.altered(
            observation,
            name,
            files={host_paths.ETCD_MEMBER_CA_CRT: {"sha256": authority_sha256, "mode": 0o600, "user_id": 0}},
            etcd=samples.document()["etcd"] | {"has_data": True},
        )
    monkeypatch.setattr(choice, "find_source", lambda *_: replace(source(uid=OTHER_UID), identity=identity))
    return asked(observation, inventory)


def test_keys_that_are_nowhere_have_to_be_given(monkeypatch):
    context = without_masters(monkeypatch, "a" * 64, None)
    with pytest.raises(Refused, match="no master holds the cluster's keys") as refusal:
        choose_source(context)
    assert "--pki" in refusal.value.next_step


def test_the_keys_of_another_cluster_do_not_come_to_these_data(monkeypatch):
    with pytest.raises(UnfitHosts) as refusal:
        choose_source(without_masters(monkeypatch, "a" * 64, samples.identity()))
    assert [problem.what for problem in refusal.value.problems] == [
        f"{name} holds etcd of another cluster" for name in ("e1", "e2", "e3")
    ]
    own = hashlib.sha256(samples.identity().etcd.certificate).hexdigest()
    monkeypatch.setattr(choice, "refuse_full_disks", lambda *_: None)
    chosen = choose_source(without_masters(monkeypatch, own, samples.identity()))
    assert chosen.identity == samples.identity()


def test_a_bare_file_is_taken_only_on_an_explicit_word(tmp_path):
    file = tmp_path / "snapshot.db"
    file.touch()
    with pytest.raises(Refused, match="no signature"):
        choose_source(asked(samples.fresh(samples.inventory()), file=file))


def test_a_resume_goes_on_with_the_data_that_is_there(tmp_path):
    observation = samples.fresh(samples.inventory())
    done = journal("serving", members=("m1", "m2", "m3")).model_dump(mode="json")
    for name in ("m1", "m2", "m3"):
        observation = samples.altered(observation, name, leftovers={"journal": done})
    found = choose_source(asked(observation))
    assert found.restoration.database is None
    assert found.restoration.journal.stage == "serving"
    with pytest.raises(Refused, match="a restore of file x is under way"):
        choose_source(asked(observation, file=tmp_path))


def test_a_member_that_sends_something_else_keeps_no_restore_from_being_completed(tmp_path):
    """API servers are stopped then: what it sent lay where the next member's was to go."""

    def fetch(host, _, target):
        with target.open("xb") as file:
            file.write(b"lie" if host.name == "m1" else b"data")

    observation = samples.fresh(samples.inventory())
    begun = journal("replacing", database=hashlib.sha256(b"data").hexdigest()).model_dump(mode="json", by_alias=True)
    for name in ("m1", "m2", "m3"):
        observation = samples.altered(observation, name, leftovers={"journal": begun})
    tools = SimpleNamespace(new_directory=lambda *_: tmp_path)
    executor = FakeExecutor()
    executor.fetch_output = fetch
    found = choose_source(replace(asked(observation), tools=tools, executor=executor)).restoration.database
    assert found.path.read_bytes() == b"data"


def test_leaving_members_that_serve_are_a_cluster_and_no_reason_to_rebuild_it():
    inventory, observation = samples.replaced_masters()
    context = asked(observation, inventory)
    found = assess_cluster(context)
    assert (found.action, found.members) == (RecoveryAction.REPAIR, ("m1",))
    with pytest.raises(Refused, match="without losing data"):
        choose_source(context)
    with pytest.raises(Refused, match="m2: left out, but its etcd runs"):
        choose_source(asked(observation, inventory, without=("m2",), accept_loss=True))


def test_leaving_members_that_are_merely_stopped_are_started():
    inventory, observation = samples.replaced_masters()
    stopped = samples.stopped(observation, "m2", "m3")
    assert assess_cluster(asked(stopped, inventory)).action is RecoveryAction.START


def test_leaving_hosts_that_are_off_may_hold_the_data():
    inventory, observation = samples.replaced_masters(off=("m2", "m3"))
    assert assess_cluster(asked(observation, inventory)).action is RecoveryAction.REACH
    with pytest.raises(Refused, match="without losing data"):
        choose_source(asked(observation, inventory))
    with pytest.raises(Unreachable, match="m2, m3 cannot be reached"):
        choose_source(asked(observation, inventory, accept_loss=True))


RECIPIENT = "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z"


def aged(age, origin, *, signed, interval=60):
    """What is known of a cluster that takes snapshots so often, and a source of that age."""
    inventory = samples.inventory(snapshots={"recipients": (RECIPIENT,), "interval_seconds": interval})
    context = asked(samples.fresh(inventory), inventory)
    return context, replace(source(), taken_at=NOW - age, origin=origin, signed=signed)


@pytest.mark.parametrize("known", [[5], [5, 99]])
@pytest.mark.parametrize(("origin", "signed"), [(Origin.STORED, True), (Origin.FILE, True), (Origin.FILE, False)])
def test_the_age_is_always_said_in_words(origin, signed, known):
    context, old = aged(timedelta(days=400), origin, signed=signed)
    lines = choice._meaning(context, old, journal(), assess(members_of(["m1"], {})), known)
    assert "400 days" in lines[0]
    assert any("400 days ago" in line and f"{old.taken_at:%Y-%m-%d}" in line for line in lines[1:])


def test_what_a_member_holds_is_of_no_age_and_not_called_signed():
    context, held = aged(timedelta(0), Origin.MEMBER, signed=False)
    text = "\n".join(choice._meaning(context, held, journal(), assess(members_of(["m1"], {})), [5]))
    assert "ago" not in text
    assert "not signed" in text


@pytest.mark.parametrize(("origin", "signed"), [(Origin.STORED, True), (Origin.FILE, True)])
def test_a_snapshot_older_than_three_intervals_needs_the_loss_accepted(origin, signed):
    context, fresh = aged(timedelta(seconds=170), origin, signed=signed)
    refuse_old(context, fresh)
    context, old = aged(timedelta(seconds=190), origin, signed=signed)
    with pytest.raises(Refused, match="3 min old") as refusal:
        refuse_old(context, old)
    assert "--accept-loss" in refusal.value.next_step
    refuse_old(replace(context, request=RestoreRequest(accept_loss=True)), old)


@pytest.mark.parametrize("origin", [Origin.MEMBER, Origin.FILE])
def test_a_members_data_and_a_bare_file_are_not_judged_by_age(origin):
    context, found = aged(timedelta(days=400), origin, signed=False)
    refuse_old(context, found)
