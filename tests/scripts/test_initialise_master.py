"""kubeadm's phases on a machine that is slow: what answers is waited for again, what does not is a failure."""

import os
import subprocess

import pytest

from haplane.scripts import script

GIVES_UP_ONCE = """#!/bin/sh
echo "$@" >> {log}
[ "$(wc -l < {log})" -gt 1 ] || {{ echo "error: kube-apiserver check failed" >&2; exit 1; }}
"""
RUN = script("initialise_master", config="/k.yaml", skipped="addon", patience="1", port="6443", note_program="note")


@pytest.fixture
def run(tmp_path):
    def run(answers):
        log = tmp_path / "kubeadm.log"
        (tmp_path / "kubeadm").write_text(GIVES_UP_ONCE.format(log=log))
        (tmp_path / "python3").write_text(f'#!/bin/sh\n[ "$3" = note ] || exit {0 if answers else 1}\n')
        for name in ("kubeadm", "python3"):
            (tmp_path / name).chmod(0o755)
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        done = subprocess.run(["sh", "-c", RUN], env=environment, capture_output=True, text=True, check=False)
        return done, log.read_text().splitlines()

    return run


def test_an_api_server_that_answers_gets_as_long_again(run):
    done, calls = run(answers=True)
    assert done.returncode == 0
    assert calls == [
        "init --config /k.yaml --skip-phases=addon",
        "init --config /k.yaml --skip-phases=addon,preflight",
    ]


def test_without_an_answer_kubeadms_failure_is_the_end(run):
    done, calls = run(answers=False)
    assert done.returncode != 0
    assert len(calls) == 1
    assert "kube-apiserver check failed" in done.stderr
