"""Tools that are missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from haplane.errors import Refused
from haplane.lab.command import require_machine
from haplane.lab.nspawn.machine import Nspawn


def test_a_missing_tool_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused) as refusal:
        require_machine(Nspawn.tools)
    assert "systemd-nspawn" in refusal.value.what
    assert "systemd-container" in str(refusal.value.next_step)
