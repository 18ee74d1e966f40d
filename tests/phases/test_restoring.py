"""Who is restored, when, and what is refused before anything is touched."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import samples

from haplane.domain.observed import Observation
from haplane.domain.progress import silent
from haplane.domain.recovery import judge, members_of
from haplane.domain.restoration import Journal
from haplane.errors import Refused, UnfitHosts, Unreachable
from haplane.phases import choose_source
from haplane.phases.choose_source import choose_source as choose
from haplane.phases.choose_source import refuse_foreign, refuse_more_than_needed
from haplane.phases.find_source import Source, Wish
from haplane.phases.observe import KUBERNETES_AUTHORITY, refuse_unfinished_restore
from haplane.phases.phase import Restoration, Run
from haplane.phases.restore_data import RestorePhase, late_members, masters_due, members_due
from haplane.pki.paths import ETCD_MEMBER_AUTHORITY
from haplane.sources.database import Database
from haplane.workflows.restore import PHASES

STAMP = "20261122T190000Z"
OTHER_UID = "0f5a2c1e-6d0e-4c49-9c39-2f3b0f7a1d11"


def journal(stage="preparing", **changes):
    fields = {"source": "file x", "database": "0" * 64, "revision": 5, "bump": 10, "uid": ""} | changes
    return Journal(stamp=STAMP, stage=stage, **fields)


def run_of(observation: Observation, inventory=None, **restoration) -> Run:
    run = Run(inventory or samples.inventory(), samples.manifest(), Path(), silent, observation=observation)
    if restoration:
        run.restoration = Restoration(database=None, **restoration)
    return run


def remembering(observation, *names, **changes):
    for name in names:
        observation = samples.altered(observation, name, remains={"journal": journal(**changes).model_dump()})
    return observation


def off(observation, *names):
    reports = {name: report for name, report in observation.reports.items() if name not in names}
    return Observation(reports=reports, unreachable=dict.fromkeys(names, "off"))


def names(hosts):
    return [host.name for host in hosts]


def test_up_keeps_its_hands_off_a_restore_that_is_under_way():
    fresh = samples.fresh(samples.inventory())
    refuse_unfinished_restore(run_of(fresh))
    with pytest.raises(Refused, match="a restore of file x is under way"):
        refuse_unfinished_restore(run_of(remembering(fresh, "m2")))


def test_every_member_gets_its_data_once():
    whole = samples.fresh(samples.inventory())
    before = run_of(whole, journal=journal("replacing"))
    assert names(members_due(before)) == names(masters_due(before)) == ["m1", "m2", "m3"]
    after = run_of(whole, journal=journal("serving", members=("m1", "m2", "m3")))
    assert members_due(after) == masters_due(after) == late_members(after) == []
    late = run_of(whole, journal=journal("serving", members=("m1", "m2")))
    assert names(members_due(late)) == names(masters_due(late)) == ["m3"]


@pytest.mark.parametrize("stage", ["preparing", "replacing", "serving"])
def test_what_a_resume_runs(stage):
    members = ("m1", "m2", "m3") if stage == "serving" else ()
    run = run_of(samples.fresh(samples.inventory()), journal=journal(stage, members=members))
    titles = [phase.title for phase in PHASES if isinstance(phase, RestorePhase) and phase.should_run(run)]
    assert ("Put the new data in place" in titles) is (stage != "serving")
    assert titles[-1] == "Tidy up"
    assert "Start API servers" in titles


def test_data_is_replaced_after_everything_slow_and_before_anything_serves():
    titles = [phase.title for phase in PHASES]
    order = [
        "Rebuild etcd's data beside the old",
        "Stop API servers",
        "Put the new data in place",
        "Start API servers",
    ]
    assert [title for title in titles if title in order] == order
    assert titles.index(order[2]) == titles.index(order[1]) + 1


def judgement(run):
    return judge(members_of(["m1", "m2", "m3"], run.observation.reports))


def test_a_healthy_cluster_is_not_restored_by_mistake():
    run = run_of(samples.converged(samples.inventory()))
    with pytest.raises(Refused, match="destroy what need not be lost") as refusal:
        refuse_more_than_needed(run, Wish(), judgement(run))
    assert "at revision 100" in refusal.value.why
    assert "--accept-loss" in refusal.value.next_step
    refuse_more_than_needed(run, Wish(accept_loss=True), judgement(run))


def test_what_is_off_may_hold_the_data_until_somebody_says_that_it_is_gone():
    run = run_of(off(samples.fresh(samples.inventory()), "m2", "m3"))
    with pytest.raises(Refused, match="need not be lost"):
        refuse_more_than_needed(run, Wish(without=("m2",)), judgement(run))
    refuse_more_than_needed(run, Wish(without=("m2", "m3")), judgement(run))


def test_a_missing_host_is_named_before_anything_else_is_looked_at(tmp_path):
    run = run_of(off(samples.fresh(samples.inventory()), "m3"))
    with pytest.raises(Unreachable, match="m3 cannot be reached") as refusal:
        choose(run, Wish(file=tmp_path, unsigned=True), tools=None)
    assert "--without m3" in refusal.value.next_step


def source(**changes):
    authority = samples.identity().kubernetes.certificate
    fields = {"sha256": "0" * 64, "size": 1, "revision": 5, "records": 1, "keys": 1, "uid": "cluster-1"}
    database = Database(path=Path(), **(fields | {"authority": authority} | changes))
    return Source("file x", database, samples.NOW - timedelta(seconds=45), signed=False)


def test_another_clusters_data_is_refused():
    observation = samples.converged(samples.inventory())
    pem = samples.identity().kubernetes.certificate.decode()
    run = run_of(samples.altered(observation, "m1", certificates={KUBERNETES_AUTHORITY: pem}))
    refuse_foreign(run, source())
    with pytest.raises(Refused, match="another cluster") as refusal:
        refuse_foreign(run, source(uid=OTHER_UID))
    assert OTHER_UID in refusal.value.why
    with pytest.raises(Refused, match="another cluster"):
        refuse_foreign(run, source(authority=samples.identity().etcd.certificate))


def without_masters(monkeypatch, authority_sha256, identity):
    """etcd machines with data whose authority has that digest, empty masters, and a source with those keys."""
    inventory = samples.inventory(etcd=3)
    observation = samples.fresh(inventory)
    for name in ("e1", "e2", "e3"):
        observation = samples.altered(
            observation,
            name,
            files={ETCD_MEMBER_AUTHORITY: {"sha256": authority_sha256, "mode": 0o600, "user_id": 0}},
            etcd=samples.document()["etcd"] | {"has_data": True},
        )
    monkeypatch.setattr(choose_source, "find_source", lambda *_: replace(source(uid=OTHER_UID), identity=identity))
    return run_of(observation, inventory)


def test_keys_that_are_nowhere_have_to_be_given(monkeypatch):
    run = without_masters(monkeypatch, "a" * 64, None)
    with pytest.raises(Refused, match="no master holds the cluster's keys") as refusal:
        choose(run, Wish(), tools=None)
    assert "--pki" in refusal.value.next_step


def test_the_keys_of_another_cluster_do_not_come_to_these_data(monkeypatch):
    with pytest.raises(UnfitHosts) as refusal:
        choose(without_masters(monkeypatch, "a" * 64, samples.identity()), Wish(), tools=None)
    assert [problem.what for problem in refusal.value.problems] == [
        f"{name} holds etcd of another cluster" for name in ("e1", "e2", "e3")
    ]
    own = hashlib.sha256(samples.identity().etcd.certificate).hexdigest()
    run = without_masters(monkeypatch, own, samples.identity())
    monkeypatch.setattr(choose_source, "_refuse_full_disks", lambda *_: None)
    choose(run, Wish(), tools=None)
    assert run.identity == samples.identity()


def test_a_bare_file_is_taken_only_on_an_explicit_word(tmp_path):
    file = tmp_path / "snapshot.db"
    file.touch()
    run = run_of(samples.fresh(samples.inventory()))
    with pytest.raises(Refused, match="no signature"):
        choose(run, Wish(file=file), tools=None)


def test_a_resume_goes_on_with_the_data_that_is_there(tmp_path):
    fresh = samples.fresh(samples.inventory())
    run = run_of(remembering(fresh, "m1", "m2", "m3", stage="serving", members=("m1", "m2", "m3")))
    found = choose(run, Wish(), tools=None)
    assert found.restoration.database is None
    assert found.restoration.journal.stage == "serving"
    with pytest.raises(Refused, match="a restore of file x is under way"):
        choose(run, Wish(file=tmp_path), tools=None)
