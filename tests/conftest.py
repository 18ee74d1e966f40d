"""What all tests share: no example of hypothesis is late, which tests share a worker, haplane and etcd's programs."""

import gc
from pathlib import Path

import pytest
from hypothesis import settings
from prepared import prepared
from xdist.scheduler import LoadScopeScheduling

from haplane import cli
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


def pytest_collection_finish():
    """What was collected and imported lives as long as the process: it need not be searched for garbage again."""
    gc.freeze()


class OneThatNeedsACore(LoadScopeScheduling):
    """Of the tests that judge seconds, those of locks wait, on any worker; all others take turns on one worker."""

    def _split_scope(self, nodeid):
        return nodeid if nodeid.startswith("tests/remote/") else "needs a core"


def pytest_xdist_make_scheduler(config, log):
    """For ``make timed``. The plugin's own loadgroup changes nothing under pytest 9.2."""
    return OneThatNeedsACore(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.fixture(scope="session")
def haplane_program():
    """One process for the command line, each run in a copy of it: a start costs a second of CPU."""
    modules = sorted(f"haplane.cli.{file.stem}" for file in Path(cli.__file__).parent.glob("[!_]*.py"))
    with prepared("haplane.__main__", *modules) as program:
        yield program


@pytest.fixture(scope="session")
def tools():
    directory = default_directory(DEFAULT_VERSION)
    try:
        manifest = load_manifest(directory)
    except BadInput:
        pytest.skip("no bundle on this machine: haplane bundle build")
    with etcd_tools(directory, manifest) as found:
        yield found
