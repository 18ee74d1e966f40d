"""Everything that a kubelet starts the control plane with is there before the kubelet can start."""

import pytest

from haplane.context.phase import Phase
from haplane.domain.plan import Kind
from haplane.workflows import restore, up


@pytest.mark.parametrize("entries", [up.ENTRIES, restore.ENTRIES])
def test_kubelets_come_last(entries):
    order = [entry.kinds for entry in entries if isinstance(entry, Phase)]
    recover, client, kubelet, serving, control_plane = (
        next(number for number, kinds in enumerate(order) if kind in kinds)
        for kind in (Kind.RECOVER, Kind.KUBELET_CLIENT, Kind.KUBELET, Kind.SERVING, Kind.CONTROL_PLANE)
    )
    assert recover < client < kubelet < serving < control_plane
    if entries is up.ENTRIES:
        assert next(number for number, kinds in enumerate(order) if Kind.START_ETCD in kinds) < recover
