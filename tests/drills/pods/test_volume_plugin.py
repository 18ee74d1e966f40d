"""The node plugin of the drills' volumes, as the bundle has it: its Go test speaks to the program that was built."""

import os
import shutil
import subprocess

import pytest

from haplane.bundle.lock import load_lock
from haplane.bundle.manifest import default_directory, load_manifest
from haplane.bundle.unpack import unpack_program
from haplane.errors import BadInput
from haplane.supported import DEFAULT_VERSION

pytestmark = pytest.mark.bundle


@pytest.fixture
def component():
    found = {part.name: part for part in load_lock(DEFAULT_VERSION).components("modules", "amd64")}
    return found["external-attacher"]


@pytest.mark.skipif(shutil.which("go") is None, reason="Go is not on the PATH")
def test_it_registers_with_a_kubelet_mounts_and_leaves_nothing(component, tmp_path):
    bundle = default_directory(DEFAULT_VERSION)
    try:
        program = unpack_program(bundle, load_manifest(bundle), component.files["volume-plugin"].path, tmp_path)
    except BadInput:
        pytest.skip("the bundle of this machine is older than the plugin: haplane bundle build --source modules")
    for words in (["vet", "."], ["test", "-mod=readonly", "-count=1", "."]):
        environment = {**os.environ, "GOFLAGS": "", "GOWORK": "off", "VOLUME_PLUGIN": str(program)}
        done = subprocess.run(
            ["go", *words],
            cwd=component.module_directory,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
