"""``haplane verify`` as users call it, over hosts that are not there."""

import json
import subprocess
import sys

INVENTORY = """
masters = [
    (f"m{number}", {"address": f"10.0.0.{number}", "ssh_hostname": "127.0.0.1", "ssh_port": number})
    for number in (1, 2, 3)
]
cluster = {"name": "nowhere", "endpoint": "127.0.0.9:1", "endpoint_is_external": True}
"""


def haplane(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "haplane", *arguments], capture_output=True, text=True, timeout=300, check=False
    )


def test_unreachable_hosts_are_skipped_by_users_suites_too(tmp_path):
    (tmp_path / "inventory.py").write_text(INVENTORY)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "test_a.py").write_text("def test_a(host):\n    assert host.file('/').is_directory\n")
    done = haplane("verify", str(tmp_path / "inventory.py"), "--suite", str(tmp_path / "site"), "--json")
    assert done.returncode == 3, done.stderr
    document = json.loads(done.stdout)
    assert document["unreachable"] == ["m1", "m2", "m3"]
    assert document["failed"] >= 3
    assert {check["outcome"] for check in document["checks"] if check["host"] and check["group"] != "reach"} == {
        "skipped"
    }
    assert not [check for check in document["checks"] if check["group"] == "pods"]
    mine = [check for check in document["checks"] if check["group"] == "site/test_a"]
    assert [(check["host"], check["outcome"]) for check in mine] == [(name, "skipped") for name in ("m1", "m2", "m3")]


def test_a_wrong_inventory(tmp_path):
    (tmp_path / "inventory.py").write_text("masters = []\n")
    done = haplane("verify", str(tmp_path / "inventory.py"))
    assert done.returncode == 2
    assert "cluster" in done.stderr


def test_a_broken_suite_is_told_before_any_host_is_contacted(tmp_path):
    (tmp_path / "inventory.py").write_text(INVENTORY)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "test_a.py").write_text("import nonsense\n")
    done = haplane("verify", str(tmp_path / "inventory.py"), "--suite", str(tmp_path / "site"), "--json")
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error["where"] == f"{tmp_path}/site/test_a.py:1"
    assert error["why"] == "ModuleNotFoundError: No module named 'nonsense'"
