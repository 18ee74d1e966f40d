"""Which master's CoreDNS pod lends its network to the prober: a program that failed is no "none runs here"."""

from types import SimpleNamespace

import pytest
import samples
from contexts import FakeExecutor

from haplane.drills.probing import probers as probes
from haplane.errors import HaplaneError

INVENTORY = samples.inventory()


def answering(**codes):
    def attempt(host, *_):
        return SimpleNamespace(code=codes[host.name], stdout=b"", stderr=b"ImportError: no module named json")

    executor = FakeExecutor()
    executor.attempt = attempt
    return executor


@pytest.mark.parametrize(("codes", "name"), [({"m2": 3, "m3": 0}, "m3"), ({"m2": 1, "m3": 0}, "m3")])
def test_a_master_that_could_not_be_asked_is_passed_over(codes, name):
    assert probes.host_with_dns(INVENTORY, answering(**codes), without={"m1"}).name == name


def test_where_none_is_found_those_that_could_not_be_asked_are_named():
    with pytest.raises(HaplaneError, match="no surviving master is known to run") as raised:
        probes.host_with_dns(INVENTORY, answering(m2=1, m3=3), without={"m1"})
    assert raised.value.why == "m2 could not be queried: ImportError: no module named json"
    with pytest.raises(HaplaneError, match="no surviving master runs a CoreDNS pod") as raised:
        probes.host_with_dns(INVENTORY, answering(m2=3, m3=3), without={"m1"})
    assert raised.value.why is None


def test_no_host_that_loses_its_power_is_chosen():
    """Of several, called "m1, m2": m1 was chosen, and the drill ended with "the prober failed" after its outage."""
    assert probes.host_with_dns(INVENTORY, answering(m1=0, m2=0, m3=0), without={"m1", "m2"}).name == "m3"
