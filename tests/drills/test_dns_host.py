"""Which master's CoreDNS pod lends its network to the prober: a program that failed is no "none runs here"."""

from types import SimpleNamespace

import pytest
import samples

from haplane.drills import probes
from haplane.errors import HaplaneError

INVENTORY = samples.inventory()


def answering(monkeypatch, **codes):
    def attempt(host, *_):
        return SimpleNamespace(code=codes[host.name], stdout=b"", stderr=b"ImportError: no module named json")

    monkeypatch.setattr(probes, "attempt", attempt)


@pytest.mark.parametrize(("codes", "name"), [({"m2": 3, "m3": 0}, "m3"), ({"m2": 1, "m3": 0}, "m3")])
def test_a_master_that_could_not_be_asked_is_passed_over(monkeypatch, codes, name):
    answering(monkeypatch, **codes)
    assert probes.host_with_dns(INVENTORY, without="m1").name == name


def test_where_none_is_found_those_that_could_not_be_asked_are_named(monkeypatch):
    answering(monkeypatch, m2=1, m3=3)
    with pytest.raises(HaplaneError, match="no surviving master is known to run") as raised:
        probes.host_with_dns(INVENTORY, without="m1")
    assert raised.value.why == "m2 could not be asked: ImportError: no module named json"
    answering(monkeypatch, m2=3, m3=3)
    with pytest.raises(HaplaneError, match="no surviving master runs a CoreDNS pod") as raised:
        probes.host_with_dns(INVENTORY, without="m1")
    assert raised.value.why is None
