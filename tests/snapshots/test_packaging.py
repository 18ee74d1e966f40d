"""The archive is all that a host needs."""

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from haplane.agent.settings import AgentSettings, S3Settings
from haplane.snapshots import packaging


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("agent")
    with tarfile.open(fileobj=io.BytesIO(packaging.agent_archive().content)) as archive:
        archive.extractall(directory)
    return directory


def agent(unpacked: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Without site-packages: what is not in the archive is not there."""
    command = [sys.executable, "-ESs", unpacked / "run", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd="/")


def test_the_same_modules_are_the_same_archive() -> None:
    one, other = packaging.agent_archive(), packaging.agent_archive()
    assert one == other
    assert one.directory == f"/opt/haplane/agent-{one.digest}"
    assert len(one.content) < 4 << 20


def test_it_runs_with_nothing_but_python_and_speaks_s3(unpacked: Path, tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.write_text("[default]\naws_access_key_id = a\naws_secret_access_key = s\n")
    s3 = S3Settings("bucket", endpoint_url="https://127.0.0.1:1", credentials_file=str(credentials))
    settings = tmp_path / "settings.json"
    settings.write_text(AgentSettings("c", "m1", ("age1",), directory=str(tmp_path / "none"), s3=s3).to_json())
    checked = agent(unpacked, "check", "--settings", settings)
    assert checked.returncode == 3
    assert "EndpointConnectionError" in checked.stderr


def test_a_wrong_word_is_one_line(unpacked: Path) -> None:
    told = agent(unpacked, "tock")
    assert told.returncode == 2
    assert told.stderr.count("\n") == 1
