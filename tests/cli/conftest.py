import pytest


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    """Where logs of runs go, for subprocesses too."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "haplane"
