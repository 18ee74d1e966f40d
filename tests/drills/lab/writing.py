"""Writes at the endpoint while a cluster is restored: which were acknowledged when, and which are there after it."""

from contextlib import contextmanager
from itertools import pairwise

from haplane.domain.progress import silent
from haplane.drills.probing.client import Client
from haplane.drills.probing.credentials import administrator
from haplane.drills.probing.probers import endpoint_prober
from haplane.drills.probing.writes import lost_writes, make_namespace
from haplane.waiting import wait_until
from haplane.workflows.prepare import over_ssh


class Writers:
    """Twenty writes a second at the endpoint, each with its number, and which of them were acknowledged when."""

    def __init__(self, lab, namespace):
        self.client, self.namespace = Client(administrator(lab.inventory, over_ssh(silent))), namespace
        make_namespace(self.client, namespace)
        self.recording = endpoint_prober(self.client.target, namespace)

    def acknowledged(self, before=float("inf")):
        writes = [one for one in self.recording.lines() if one.kind == "write" and one.ok]
        return [one.number for one in writes if one.done < before]

    def again(self, seconds=120):
        """Wait until twenty more have been acknowledged."""
        known = len(self.acknowledged())
        wait_until(lambda: len(self.acknowledged()) > known + 20, seconds, "writes are acknowledged again")

    def gap_seconds(self):
        """The longest time in which none was acknowledged."""
        done = sorted(one.done for one in self.recording.lines() if one.kind == "write" and one.ok)
        return max(later - earlier for earlier, later in pairwise(done))

    def lost_of_before(self, begun, ended, outcome, revision_before):
        """Those lost that were acknowledged before the snapshot was begun; prints what became of all until ``ended``.

        ``ended`` is when the data was lost, or given up.
        """
        before = self.acknowledged(before=begun)
        since = sorted(set(self.acknowledged(before=ended)) - set(before))
        lost = lost_writes(self.client, self.namespace, before)
        print(  # noqa: T201 - what the story measured
            f"\noutage {self.gap_seconds():.1f} s; revision {revision_before} -> {outcome['revision']}; acknowledged "
            f"writes lost: {len(lost)} of {len(before)} before the snapshot, "
            f"{len(lost_writes(self.client, self.namespace, since))} of {len(since)} after it"
        )
        return lost


@contextmanager
def writers(lab, namespace):
    made = Writers(lab, namespace)
    with made.recording:
        wait_until(lambda: len(made.acknowledged()) > 20, 30, "writes are acknowledged")
        yield made


def highest_revision(lab):
    """As a member tells it."""
    return max(member["revision"] for member in lab.status()["etcd"]["members"])
