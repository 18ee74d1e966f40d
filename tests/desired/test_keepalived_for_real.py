"""keepalived itself reads what it is given, where it is installed."""

import shutil
import subprocess
from pathlib import Path

import pytest
import samples

from haplane.desired.files import keepalived_files

KEEPALIVED = shutil.which("keepalived", path="/usr/sbin:/usr/bin:/sbin:/bin")


INTERFACE = next((path.name for path in Path("/sys/class/net").glob("*") if path.name != "lo"), None)


@pytest.mark.skipif(None in (KEEPALIVED, INTERFACE), reason="keepalived is not installed here, or has no interface")
def test_keepalived_takes_its_configuration(tmp_path):
    inventory = samples.inventory()
    text = keepalived_files(inventory, inventory.load_balancers[0], INTERFACE)[0].content.decode()
    path, script = tmp_path / "keepalived.conf", tmp_path / "haproxy-accepts"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o700)
    path.write_text(text.replace("/etc/keepalived/haproxy-accepts", str(script)))
    done = subprocess.run([KEEPALIVED, "--config-test", "-f", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
