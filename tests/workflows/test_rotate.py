"""What forbids a rotation of keys, and what is printed for the operator afterwards."""

from itertools import product

import pytest
import samples
from contexts import context_of

from haplane.cli.keys import _advice
from haplane.context.decision import Decision
from haplane.context.result import Rotated
from haplane.domain import host_paths
from haplane.domain.observed import Observation
from haplane.domain.plan import Kind, Plan, Step
from haplane.errors import Refused, Unreachable
from haplane.observation import rotation
from haplane.observation.rotation import refuse_unfinished_rotation
from haplane.phases.rotate import rotate_encryption, rotate_recipients, rotate_signing
from haplane.workflows import rotate as workflow
from haplane.workflows.engine import CONFIRM

PLANS = {"signing": rotate_signing.PLAN, "encryption": rotate_encryption.PLAN, "recipients": rotate_recipients.PLAN}
RECIPIENT = "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z"
INVENTORY = samples.inventory(snapshots={"recipients": (RECIPIENT,)})


@pytest.fixture
def look(monkeypatch):
    """The plan of a rotation, of hosts in that state and with these steps of `up` waiting."""

    def looked(kind, *waiting, staged=(), on=("m2", "m3"), lost=()):
        seen = samples.converged(INVENTORY)
        reports = {name: report for name, report in seen.reports.items() if name not in lost}
        for name, path in product(on, staged):
            files = {
                **reports[name].model_dump()["files"],
                path: {"sha256": samples.SHA256, "mode": 0o600, "user_id": 0},
            }
            reports |= samples.altered(Observation(reports=reports), name, files=files).reports
        context = context_of(INVENTORY, Observation(reports=reports, unreachable=dict.fromkeys(lost, "timed out")))
        monkeypatch.setattr(rotate_recipients, "refuse_unusable_snapshots", lambda context: None)
        monkeypatch.setattr(rotation, "decide_steps", lambda context: context.adopt(Decision(plan=Plan(waiting))))

        def look_at_all():
            entries = workflow.ROTATIONS[kind]
            for entry in entries[1 : entries.index(CONFIRM)]:
                entry.carry_out(context)
            return context.decision.headline

        return context, look_at_all

    return looked


@pytest.mark.parametrize("kind", ["signing", "encryption", "recipients"])
def test_where_up_has_nothing_to_do_the_plan_is_shown(look, kind):
    _, looked = look(kind, Step(Kind.MARK, "w1", "to match the inventory"))
    assert looked() == PLANS[kind]


def test_one_that_was_interrupted_is_completed_and_forbids_everything_else(look):
    context, looked = look(
        "encryption", Step(Kind.FILES, "m1", "a file"), staged=[host_paths.ROTATION_ENCRYPTION_YAML]
    )
    assert "complete the rotation" in looked()[0]
    with pytest.raises(Refused, match="rotation of the encryption keys is under way") as refused:
        refuse_unfinished_rotation(context)
    assert "haplane keys rotate inventories/test.py encryption" in refused.value.next_step
    _, looked = look("signing", staged=[host_paths.ROTATION_ENCRYPTION_YAML])
    with pytest.raises(Refused, match="rotation of the encryption keys is under way"):
        looked()
    context, _ = look("signing", staged=[f"{host_paths.ROTATION_SIGNING_STEM}.key"])
    with pytest.raises(Refused, match="rotation of the signing keys"):
        refuse_unfinished_rotation(context)


def test_what_one_master_reports_of_a_rotation_keeps_nothing_from_going_on(look):
    context, _ = look("encryption", staged=[host_paths.ROTATION_ENCRYPTION_YAML], on=["m1"])
    refuse_unfinished_rotation(context)


def test_hosts_that_are_not_as_wanted_or_lost_come_first(look):
    _, looked = look("signing", Step(Kind.FILES, "m1", "a file", ("/etc/x",)))
    with pytest.raises(Refused, match="do not match the inventory"):
        looked()
    _, looked = look("encryption", lost=["m3"])
    with pytest.raises(Unreachable, match="m3"):
        looked()


def test_new_recipients_are_themselves_what_up_would_do(look):
    steps = (
        Step(Kind.SEAL, "m1", "the recipients changed"),
        Step(Kind.FILES, "m1", host_paths.SNAPSHOT_SETTINGS_JSON, (host_paths.SNAPSHOT_SETTINGS_JSON,)),
    )
    _, looked = look("recipients", *steps)
    assert looked() == rotate_recipients.PLAN
    _, looked = look("recipients", *steps, Step(Kind.FILES, "m1", "x", (host_paths.SNAPSHOT_SETTINGS_JSON, "/etc/x")))
    with pytest.raises(Refused, match="do not match the inventory"):
        looked()


def test_the_edits_that_are_left_are_printed():
    signing = Rotated(signing_key="NEW", previous_signing_key="OLD")
    text = "\n".join(_advice("signing", signing, "i.py"))
    assert 'cluster["snapshots"]["signing_key"] = "NEW"' in text
    assert 'cluster["snapshots"]["previous_signing_keys"] = ["OLD"]' in text
    assert 'cluster["snapshots"]["revoked_signing_keys"] = ["OLD"]' in text
    recipients = Rotated(recipients=("age1new",), previous_recipients=("age1old",))
    assert "can still be decrypted by age1old" in "\n".join(_advice("recipients", recipients, "i.py"))
