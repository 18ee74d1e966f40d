"""An inventory file that is sound but for what a test changes."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SOUND: dict[str, Any] = {
    "masters": [(f"m{number}", {"address": f"10.0.0.2{number}"}) for number in (1, 2, 3)],
    "load_balancers": [(f"lb{number}", {"address": f"10.0.0.1{number}"}) for number in (1, 2)],
    "cluster": {"name": "test", "endpoint": "10.0.0.10:6443"},
}

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a sound inventory with other names in it; ``cluster`` is added to the sound one."""

    def write(cluster: Any = None, **names: Any) -> Path:
        content = copy.deepcopy(SOUND) | names
        content["cluster"] |= cluster or {}
        path = tmp_path / "inventory.py"
        path.write_text("\n".join(f"{name} = {value!r}" for name, value in content.items()))
        return path

    return write
