"""Conversion webhooks, as definitions name them: only definitions with one are read in whole."""

import pytest

from haplane.facts.on_host.conversions import DEFINITIONS, unconverted
from haplane.facts.on_host.webhooks import slices_path

NAME = "widgets.bugs.example.org"
CLIENT = {"service": {"namespace": "bugs", "name": "convert"}}


def metadata(*, webhook=True):
    conversion = {"f:conversion": {"f:strategy": {}, **({"f:webhook": {".": {}}} if webhook else {})}}
    return {"metadata": {"name": NAME, "managedFields": [{"manager": "helm", "fieldsV1": {"f:spec": conversion}}]}}


def looked(listed, *, strategy="Webhook", versions=2, endpoints=None):
    """What is found, and the paths that were asked for."""
    conversion = {"strategy": strategy} | ({"webhook": {"clientConfig": CLIENT}} if strategy == "Webhook" else {})
    spec = {"conversion": conversion, "versions": [{"served": True}] * versions}
    told = {
        f"{DEFINITIONS}?limit=1000": {"items": [listed]},
        f"{DEFINITIONS}/{NAME}": {"metadata": {"name": NAME}, "spec": spec},
    }
    if endpoints is not None:
        told[slices_path("bugs", "convert")] = {"items": [{"endpoints": endpoints}]}
    asked = []

    def api(paths, accept=None):
        asked.extend(paths)
        assert (accept is None) is ("?limit=1000" not in paths[0])
        return {path: told[path] for path in paths if path in told}

    return unconverted(api), asked


def test_one_whose_service_has_no_endpoints_is_named():
    found, _ = looked(metadata())
    assert found == [{"name": NAME, "why": "its service bugs/convert has no endpoints", "target": "bugs/convert"}]


def test_one_that_has_endpoints_without_a_port_is_not_known_to_be_silent():
    assert looked(metadata(), endpoints=[{"addresses": ["192.0.2.7"]}])[0] == []


@pytest.mark.parametrize("how", [{"strategy": "None"}, {"versions": 1}])
def test_what_is_not_converted_needs_no_webhook(how):
    assert looked(metadata(), **how)[0] == []


def test_a_definition_without_one_is_not_read():
    assert looked(metadata(webhook=False)) == ([], [f"{DEFINITIONS}?limit=1000"])
