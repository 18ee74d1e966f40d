"""Secrets written anew under another key by the scripts of a rotation, through a real API server into a real etcd."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import samples

from haplane import host_programs
from haplane.bundle.image_program import extract_program
from haplane.bundle.manifest import default_directory, load_manifest
from haplane.bundle.unpack import unpack_program
from haplane.pki.encryption import EncryptionKey
from haplane.recovery.scratch.api_server import _apiserver
from haplane.recovery.scratch.etcd import scratch_etcd
from haplane.supported import DEFAULT_VERSION
from haplane.waiting import wait_until

OLD, NEW = EncryptionKey.generate(), EncryptionKey.generate()
WRAPPER = """#!{python}
import os, sys
kept = [word for word in sys.argv[1:] if not word.startswith({dropped})]
os.execv("{program}", ["{program}", *{added}, *kept])
"""


@pytest.fixture
def bundled(tools, tmp_path):
    """The bundle's API server, and a directory with an etcdctl and a kubectl that go to the sandbox."""
    bundle = default_directory(DEFAULT_VERSION)
    manifest = load_manifest(bundle)
    image = next(one.file for one in manifest.images if "kube-apiserver" in one.reference)
    extract_program(bundle, image, "kube-apiserver", tools.directory / "kube-apiserver")
    kubectl = unpack_program(bundle, manifest, "/usr/local/bin/kubectl", tmp_path)

    def wrap(etcd, client, directory):
        directory.mkdir()
        token = client.headers["Authorization"].removeprefix("Bearer ")
        made = {
            "etcdctl": (
                tools.path("etcdctl"),
                ("--endpoints", "--cacert", "--cert", "--key="),
                [f"--endpoints={etcd.endpoint}"],
            ),
            "kubectl": (
                kubectl,
                ("--kubeconfig",),
                [f"--server={client.base}", f"--token={token}", "--insecure-skip-tls-verify"],
            ),
        }
        for name, (real, dropped, added) in made.items():
            file = directory / name
            file.write_text(WRAPPER.format(python=sys.executable, dropped=dropped, program=real, added=added))
            file.chmod(0o755)
        return directory

    return tools.directory / "kube-apiserver", wrap


def run(programs, name, *words):
    command = [sys.executable, "-c", host_programs.program(*host_programs.parts("remote", name)), *words]
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(programs)}
    done = subprocess.run(command, capture_output=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_afterwards_every_value_in_etcd_carries_the_new_keys_name(bundled, tools, tmp_path):
    program, wrap = bundled
    before = replace(samples.identity(), encryption_keys=(OLD,))
    both = replace(before, encryption_keys=(NEW, OLD))
    after = replace(before, encryption_keys=(NEW,))
    with scratch_etcd(tools, tmp_path / "data") as etcd:
        with _apiserver(program, etcd, before, tools) as client:
            programs = wrap(etcd, client, tmp_path / "before")
            wait_until(lambda: kubectl(programs, "get", "namespace", "default") == 0, 60, "the namespace default")
            for number in range(3):
                assert kubectl(programs, "create", "secret", "generic", f"s{number}", "--from-literal=word=kept") == 0
            found = run(programs, "secrets_at_rest", NEW.name)
            assert found["total"] >= 3
            assert found["others"] == found["total"]
            assert run(programs, "secrets_at_rest", OLD.name)["others"] == 0
        with _apiserver(program, etcd, both, tools) as client:
            programs = wrap(etcd, client, tmp_path / "both")
            assert run(programs, "secrets_at_rest", NEW.name)["others"] == found["total"]
            assert run(programs, "rewrite_secrets") == {"failure": None}
            assert run(programs, "secrets_at_rest", NEW.name) == {"total": found["total"], "others": 0, "some": []}
        with _apiserver(program, etcd, after, tools) as client:
            listed = client.get("/api/v1/namespaces/default/secrets")
            assert {one["data"]["word"] for one in listed["items"]} == {"a2VwdA=="}


def kubectl(programs, *words):
    return subprocess.run([programs / "kubectl", *words], capture_output=True, check=False).returncode
