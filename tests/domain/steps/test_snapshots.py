"""What has to be done so that snapshots are taken, and what forbids it."""

from dataclasses import replace
from typing import Any

import pytest
import samples

from haplane.domain import host_paths
from haplane.domain.files import Part, WantedFile
from haplane.domain.observed import HostReport
from haplane.domain.plan import Kind, Step, Wants
from haplane.domain.steps.snapshots import (
    TIMER_UNIT,
    SnapshotWants,
    keys_fingerprint,
    refuse_another_signing_key,
    refuse_revoked_signing_key,
    refuse_unproven,
    snapshot_steps,
)
from haplane.errors import Refused

MEMBERS = ("m1", "m2", "m3")
TIMER = WantedFile("/etc/systemd/system/haplane-snapshot.timer", b"[Timer]\n", Part.SNAPSHOT_TIMER)
WANTS = dict.fromkeys(MEMBERS, Wants(roles=("etcd",), files=(TIMER,)))
WANTED = SnapshotWants(recipients=("age1a", "age1b"), agent="agent-1", fingerprint="f" * 64)
A, B = "a" * 64, "b" * 64
UP = {"active": True, "enabled": True, "needs_reload": False}


def member(digest: str = A, **changes: Any) -> HostReport:
    told = {
        "agent": "agent-1",
        "sealed": {"fingerprint": "f" * 64, "sha256": digest, "recipients": ["age1b", "age1a"]},
    }
    files = {
        host_paths.SEALED_KEYS_AGE: {"sha256": digest, "mode": 0o600, "user_id": 0},
        TIMER.path: {"sha256": TIMER.sha256, "mode": 0o644, "user_id": 0},
    }
    return samples.report(**{"snapshots": told, "files": files, "units": {TIMER_UNIT: UP}, **changes})


def decide(reports: dict[str, HostReport], wanted: SnapshotWants | None = WANTED) -> list[Step]:
    return snapshot_steps(wanted, MEMBERS, WANTS, reports, (TIMER.path, host_paths.SEALED_KEYS_AGE))


def kinds(steps: list[Step]) -> set[tuple[str, Kind]]:
    return {(step.host, step.kind) for step in steps}


def test_members_that_are_as_wanted_are_left_alone():
    assert decide(dict.fromkeys(MEMBERS, member())) == []


def test_fresh_members_get_everything_and_the_keys_are_sealed_anew():
    steps = decide(dict.fromkeys(MEMBERS, samples.report()))
    assert kinds(steps) == {(name, kind) for name in MEMBERS for kind in (Kind.SEAL, Kind.AGENT, Kind.SCHEDULE)}
    assert all(step.items == () for step in steps)


def test_a_host_that_does_not_answer_is_no_business_of_the_plan():
    assert kinds(decide({"m1": samples.report(), "m2": member()})) == {
        ("m1", Kind.SEAL),
        ("m2", Kind.SEAL),
        ("m1", Kind.AGENT),
        ("m1", Kind.SCHEDULE),
    }


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"snapshots": None}, Kind.AGENT),
        ({"units": {TIMER_UNIT: {**UP, "active": False}}}, Kind.SCHEDULE),
        ({"units": {TIMER_UNIT: {**UP, "enabled": False}}}, Kind.SCHEDULE),
        ({"units": {TIMER_UNIT: {**UP, "needs_reload": True}}}, Kind.SCHEDULE),
        ({"units": {}}, Kind.SCHEDULE),
        ({"files": {}}, Kind.SEAL),
    ],
)
def test_what_one_member_lacks_it_gets(changes, kind):
    assert ("m2", kind) in kinds(decide({"m1": member(), "m2": member(**changes), "m3": member()}))


def sealing(reports: dict[str, HostReport]) -> list[Step]:
    return [step for step in decide(reports) if step.kind is Kind.SEAL]


@pytest.mark.parametrize(
    ("first", "second", "third"),
    [
        (member(B), member(A), member(A)),
        (samples.report(), member(A), member(B)),  # m3 lies, with a digest that sorts first or last
        (samples.report(), member(B), member(A)),
        (samples.report(), member(A), member(A)),
        (member(A), member(A, files={}), member(A)),
    ],
)
def test_on_any_disagreement_a_master_seals_anew_for_everybody(first, second, third):
    steps = sealing({"m1": first, "m2": second, "m3": third})
    assert [(step.host, step.items) for step in steps] == [(name, ()) for name in MEMBERS]


def test_a_file_placed_beforehand_is_not_taken_over_when_the_keys_change():
    old = {"agent": "agent-1", "sealed": {"fingerprint": "e" * 64, "sha256": B, "recipients": ["age1a", "age1b"]}}
    steps = sealing({"m1": member(B, snapshots=old), "m2": member(B, snapshots=old), "m3": member(A)})
    assert [(step.host, step.items) for step in steps] == [(name, ()) for name in MEMBERS]


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (SnapshotWants(("age1a",), "agent-1", "f" * 64), "the recipients changed"),
        (SnapshotWants(WANTED.recipients, "agent-1", "e" * 64), "the keys changed"),
    ],
)
def test_new_keys_or_recipients_are_sealed_anew(wanted, why):
    steps = decide(dict.fromkeys(MEMBERS, member()), wanted)
    assert [(step.kind, step.why, step.items) for step in steps] == [(Kind.SEAL, why, ())] * 3


def test_the_bucket_is_tried_where_its_settings_are_written():
    with_bucket = replace(WANTED, has_bucket=True)
    changed = {"m1": member(), "m2": member(files={}), "m3": member()}
    assert ("m2", Kind.BUCKET) in kinds(decide(changed, with_bucket))
    assert Kind.BUCKET not in {kind for _, kind in kinds(decide(changed))}
    assert decide(dict.fromkeys(MEMBERS, member()), with_bucket) == []


def test_without_the_setting_everything_is_taken_off():
    assert kinds(decide(dict.fromkeys(MEMBERS, member()), None)) == {(name, Kind.UNSCHEDULE) for name in MEMBERS}
    assert decide(dict.fromkeys(MEMBERS, samples.report()), None) == []


def test_a_machine_that_is_no_member_any_more_takes_none():
    assert kinds(decide({**dict.fromkeys(MEMBERS, member()), "e9": member()})) == {("e9", Kind.UNSCHEDULE)}


def test_a_recipient_counts_when_its_identity_was_seen_to_work_or_keys_are_sealed_to_it():
    reports = {"m1": member()}
    refuse_unproven(["age1a", "age1c"], {"age1c"}, reports)
    with pytest.raises(Refused, match="age1c"):
        refuse_unproven(["age1a", "age1c"], set(), reports)
    with pytest.raises(Refused, match="age1a"):
        refuse_unproven(["age1a"], set(), {"m1": samples.report()})


def test_a_signing_key_of_another_cluster_is_refused():
    refuse_another_signing_key(None, A, "i.py")
    refuse_another_signing_key(A, A, "i.py")
    for held in (B, None):
        with pytest.raises(Refused, match="not this cluster's"):
            refuse_another_signing_key(A, held, "i.py")


def test_the_present_signing_key_cannot_be_revoked():
    refuse_revoked_signing_key("new", ("old",), "i.py")
    refuse_revoked_signing_key(None, ("old",), "i.py")
    with pytest.raises(Refused, match="revokes the cluster's current signing key"):
        refuse_revoked_signing_key("old", ("old",), "i.py")


def test_the_fingerprint_is_that_of_all_digests_with_their_paths():
    assert keys_fingerprint({"/b": B, "/a": A}) == keys_fingerprint({"/a": A, "/b": B})
    assert len({keys_fingerprint(each) for each in ({"/a": A, "/b": B}, {"/a": B, "/b": A}, {"/a": A})}) == 3
