"""The script that seals the cluster's keys on a master, with an age of ours in the place of the real one."""

import hashlib
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pyrage
import pytest

from haplane import host_programs

AGE = """#!{python}
import sys, pyrage
recipients = [pyrage.x25519.Recipient.from_str(word) for word in sys.argv[3::2]]
assert sys.argv[1::2][0] == "--encrypt" and set(sys.argv[2::2]) == {{"-r"}}
sys.stdout.buffer.write(pyrage.encrypt(sys.stdin.buffer.read(), recipients))
"""


@pytest.fixture
def seal(tmp_path):
    program = tmp_path / "bin" / "age"
    program.parent.mkdir()
    program.write_text(AGE.format(python=sys.executable))
    program.chmod(0o755)

    def run(digests, *recipients):
        text = host_programs.program(*host_programs.parts("remote", "seal"))
        return subprocess.run(
            [sys.executable, "-c", text, " ".join(map(str, recipients))],
            input=json.dumps(digests).encode(), capture_output=True, check=False,
            env={"PATH": str(program.parent)},
        )  # fmt: skip

    return run


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_recipient_finds_every_file_in_it(seal, tmp_path):
    identities = [pyrage.x25519.Identity.generate() for _ in range(2)]
    files = [tmp_path / name for name in ("ca.key", "sa.key")]
    for file in files:
        file.write_bytes(file.name.encode() * 500)
    done = seal({str(file): sha256(file) for file in files}, *(identity.to_public() for identity in identities))
    assert done.returncode == 0, done.stderr
    for identity in identities:
        with tarfile.open(fileobj=io.BytesIO(pyrage.decrypt(done.stdout, [identity]))) as archive:
            assert {f"/{member.name}": archive.extractfile(member).read() for member in archive} == {
                str(file): file.read_bytes() for file in files
            }
            assert {member.mode for member in archive} == {0o600}


def test_what_changed_meanwhile_is_not_sealed(seal, tmp_path):
    file = tmp_path / "ca.key"
    file.write_bytes(b"new")
    done = seal({str(file): "0" * 64}, pyrage.x25519.Identity.generate().to_public())
    assert done.returncode != 0
    assert b"changed meanwhile" in done.stderr
    assert done.stdout == b""
