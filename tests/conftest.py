"""What all tests share: on a busy machine no example of hypothesis is late; the bundle's etcd programs."""

import pytest
from hypothesis import settings

from haplane.bundle.manifest import default_directory, load_manifest
from haplane.errors import BadInput
from haplane.recovery.scratch.tools import etcd_tools
from haplane.supported import DEFAULT_VERSION

settings.register_profile("haplane", deadline=None)
settings.load_profile("haplane")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What runs a bundle's programs is no part of the fast loop."""
    for item in items:
        if "tools" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.bundle)


@pytest.fixture(scope="session")
def tools():
    directory = default_directory(DEFAULT_VERSION)
    try:
        manifest = load_manifest(directory)
    except BadInput:
        pytest.skip("no bundle on this machine: haplane bundle build")
    with etcd_tools(directory, manifest) as found:
        yield found
