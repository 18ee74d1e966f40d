"""What all tests share: on a busy machine no example of hypothesis is late; the bundle's etcd programs."""

import pytest
from hypothesis import settings

from haplane.bundle.manifest import default_directory, load_manifest
from haplane.domain.versions import SUPPORTED_VERSIONS
from haplane.errors import BadInput
from haplane.sources.tools import etcd_tools

settings.register_profile("haplane", deadline=None)
settings.load_profile("haplane")


@pytest.fixture(scope="session")
def tools():
    directory = default_directory(SUPPORTED_VERSIONS[-1])
    try:
        manifest = load_manifest(directory)
    except BadInput:
        pytest.skip("no bundle on this machine: haplane bundle build")
    with etcd_tools(directory, manifest) as found:
        yield found
