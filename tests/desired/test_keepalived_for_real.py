"""keepalived itself reads what it is given, where it is installed."""

import shutil
import subprocess
from pathlib import Path

import pytest
import samples

from haplane.desired.balancers import keepalived_files
from haplane.domain import host_paths

KEEPALIVED = shutil.which("keepalived", path="/usr/sbin:/usr/bin:/sbin:/bin")


INTERFACE = next((path.name for path in Path("/sys/class/net").glob("*") if path.name != "lo"), None)


@pytest.mark.skipif(None in (KEEPALIVED, INTERFACE), reason="keepalived is not installed here, or has no interface")
def test_keepalived_takes_its_configuration(tmp_path):
    inventory = samples.inventory()
    files = {
        one.path: one.content.decode() for one in keepalived_files(inventory, inventory.load_balancers[0], INTERFACE)
    }
    text = files[host_paths.KEEPALIVED_CONF]
    for check in (host_paths.KEEPALIVED_CHECK, host_paths.KEEPALIVED_WORK_CHECK):
        script = tmp_path / Path(check).name
        script.write_text(files[check])
        script.chmod(0o700)
        text = text.replace(check, str(script))
    path = tmp_path / "keepalived.conf"
    path.write_text(text)
    done = subprocess.run([KEEPALIVED, "--config-test", "-f", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
