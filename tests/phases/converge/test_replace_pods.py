"""Flannel's new pod writes where the node's pods are before those are connected; kube-proxy's moves none."""

import samples
from contexts import FakeExecutor, context_of

from haplane.domain.plan import Kind, Step
from haplane.domain.steps.pod_network import FLANNEL, KUBE_PROXY, PODS
from haplane.phases.converge.replace_pods import replace_pods

INVENTORY = samples.inventory(workers=1)


class Recorded(FakeExecutor):
    def __init__(self):
        super().__init__()
        self.made = []

    def deploy(self, hosts, recipe, **arguments):
        self.made += [(host.name, recipe._inner.__name__, arguments.get("daemonset")) for host in hosts]


def test_pods_are_connected_once_flannel_has_written_anew_where():
    executor = Recorded()
    steps = [Step(Kind.REPLACE_PODS, "w1", "gone", (PODS[KUBE_PROXY], PODS[FLANNEL]))]
    replace_pods(context_of(INVENTORY, samples.converged(INVENTORY), executor=executor, steps=steps))
    assert executor.made == [
        ("m1", "replace_pods", "kube-proxy"),
        ("w1", "forget_subnet", None),
        ("m1", "replace_pods", "flannel"),
        ("w1", "connect_pods", None),
    ]
