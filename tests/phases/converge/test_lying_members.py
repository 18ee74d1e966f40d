"""Changing etcd's members while one host lies, another lie at every look: a cluster in memory carries it out."""

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache

import samples
from contexts import FakeExecutor, context_of
from hypothesis import given, settings
from hypothesis import strategies as st
from liars import lies

from haplane.deploys import etcd_recipes
from haplane.desired.hosts import roles_of
from haplane.domain.answers import Gathered
from haplane.domain.etcd_report import Etcd
from haplane.domain.observed import Observation
from haplane.domain.trust import believed
from haplane.errors import HaplaneError
from haplane.phases.converge.change_members import change_members


@cache
def whole(masters):
    return samples.converged(samples.inventory(masters=masters, workers=1))


@dataclass(frozen=True)
class Entry:
    name: str
    address: str
    learner: bool = False


class Cluster:
    """The truth: etcd's list by ID, the hosts with data, those that have voted."""

    def __init__(self, inventory, liar, lost, newcomers):
        old = [host for host in inventory.etcd if host.name not in newcomers]
        self.inventory, self.liar = inventory, liar
        self.base = whole(len(inventory.masters)).reports
        self.list = {number: Entry(host.name, str(host.address)) for number, host in enumerate(old, start=1)}
        self.data = {host.name for host in old} - {*lost}
        self.voted = {host.name for host in old}

    def serves(self, entry):
        """The liar is given the benefit of the doubt."""
        return not entry.learner and (entry.name in self.data or entry.name == self.liar)

    @property
    def commits(self):
        voters = [entry for entry in self.list.values() if not entry.learner]
        return 2 * sum(map(self.serves, voters)) > len(voters)

    def etcd_of(self, host):
        found = [(number, one) for number, one in self.list.items() if one.address == str(host.address)]
        runs = bool(found) and host.name in self.data
        listed = [
            {"ID": number, "name": one.name, "peerURLs": [f"https://{one.address}:2380"], "isLearner": one.learner}
            for number, one in self.list.items()
        ]
        return Etcd.model_validate(
            {
                "bootstrapped": host.name in self.voted,
                "has_data": host.name in self.data,
                "reads_through_quorum": runs and not found[0][1].learner and self.commits,
                "members": listed if runs else None,
                "status": {"header": {"member_id": found[0][0], "revision": 100}} if runs else None,
            }
        )

    def seen(self, draw):
        reports = {
            host.name: self.base[host.name].model_copy(
                update={"etcd": self.etcd_of(host)} if host in self.inventory.etcd else {}
            )
            for host in self.inventory.hosts
        }
        truth = next((report.etcd.members for report in reports.values() if report.etcd.members), ())
        reports[self.liar] = draw(lies(reports[self.liar], truth))
        return believed(roles_of(self.inventory), Observation(reports=reports))

    def deploy(self, hosts, recipe, **given):
        for host in hosts:
            if recipe is etcd_recipes.move_etcd_data and host.name != self.liar:
                assert host.name not in self.data or host.name not in self.voted, "the data of a member"
                self.data -= {host.name}
            if host.name != self.liar:  # what a liar is told to do it may leave undone
                self.obey(recipe, host, given)

    def obey(self, recipe, host, given):
        if recipe is etcd_recipes.remove_member:
            gone = self.list.pop(int(given["member"], 16))
            assert gone.name == self.liar or gone.learner or gone.name not in self.data, "a member with its data"
        elif recipe is etcd_recipes.add_learner:
            self.list[max(self.list) + 1] = Entry("", str(self.inventory.host(given["member"]).address), learner=True)
        elif recipe is etcd_recipes.start_learner:
            mine = {number: one for number, one in self.list.items() if one.address == str(host.address)}
            self.list |= {number: replace(one, name=host.name) for number, one in mine.items()}
            self.data |= {host.name} if mine else set()
        elif recipe is etcd_recipes.promote_learner:
            number = int(given["member"], 16)
            if number in self.list and (self.list[number].name in self.data or self.list[number].name == self.liar):
                self.list[number] = replace(self.list[number], learner=False)
        elif recipe is etcd_recipes.forbid_bootstrap:
            self.voted |= {host.name}
        assert self.commits, recipe


class Executor(FakeExecutor):
    """Carries orders out on the cluster, and sees what it is shown of it."""

    def __init__(self, cluster, seen):
        super().__init__()
        self.cluster, self.seen, self.left = cluster, seen, 30

    def observe(self, hosts, request):
        self.left -= 1
        if not self.left:
            raise HaplaneError("looked long enough")
        return Gathered(dict(self.seen().reports), {})

    def sleep(self, seconds):
        self.clock += 60 * seconds

    def deploy(self, hosts, recipe, **arguments):
        self.cluster.deploy(hosts, recipe, **arguments)


@st.composite
def beginnings(draw):
    """Three or five members of which a minority has lost its data, perhaps a newcomer, and a liar of any role."""
    size = draw(st.sampled_from([3, 5]))
    inventory = samples.inventory(masters=size, workers=1)
    masters = [host.name for host in inventory.masters]
    newcomers = draw(st.sampled_from([(), (masters[-1],)]))
    lost = draw(st.lists(st.sampled_from(masters[: size // 2]), unique=True, max_size=1))
    liar = draw(st.sampled_from([host.name for host in inventory.hosts]))
    return Cluster(inventory, liar, lost, newcomers)


@settings(max_examples=60, deadline=None)
@given(beginnings(), st.data())
def test_a_liar_who_changes_his_story_costs_no_member_and_no_data(cluster, data):
    if not cluster.commits:
        return
    context = context_of(cluster.inventory, executor=Executor(cluster, lambda: cluster.seen(data.draw)))
    with suppress(HaplaneError):  # refused: nothing more is changed
        change_members(context)
    assert cluster.commits


def test_without_a_liar_the_same_cluster_is_mended():
    """The cluster in memory can do what the phase asks of it."""
    cluster = Cluster(samples.inventory(workers=1), "nobody", ["m2"], ())

    def truth():
        reports = {host.name: cluster.base[host.name] for host in cluster.inventory.hosts}
        for host in cluster.inventory.etcd:
            reports[host.name] = reports[host.name].model_copy(update={"etcd": cluster.etcd_of(host)})
        return Observation(reports=reports)

    change_members(context_of(cluster.inventory, executor=Executor(cluster, truth)))
    assert {entry.name for entry in cluster.list.values()} == cluster.data == {"m1", "m2", "m3"}
