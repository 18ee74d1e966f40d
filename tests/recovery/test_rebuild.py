"""The script that every member runs, three times with real etcd: what they rebuild apart is one cluster."""

import contextlib
import os
import subprocess

from ports import free_port

from haplane.errors import HaplaneError
from haplane.scripts import script
from haplane.waiting import wait_until

BUMP = 1_000_000_000


AS_OURSELVES = '#!/bin/sh\nuntil [ "$1" = -- ]; do shift; done\nshift\nexec "$@"\n'
"""In setpriv's place: another user cannot see a test's directory."""


def rebuild(tools, directory, snapshot, *, name, cluster, url):
    directory.mkdir(exist_ok=True)
    setpriv = directory.parent / "bin" / "setpriv"
    setpriv.parent.mkdir(exist_ok=True)
    setpriv.write_text(AS_OURSELVES)
    setpriv.chmod(0o755)
    if not (directory / "snapshot.db").exists():
        (directory / "snapshot.db").write_bytes(snapshot.read_bytes())
    given = {"staging": str(directory), "bump": str(BUMP), "name": name, "cluster": cluster, "url": url}
    return subprocess.run(
        ["sh", "-c", script("rebuild_data", token="token-1", **given)],
        env={"PATH": f"{setpriv.parent}:{tools.directory}:{os.environ['PATH']}"},
        capture_output=True,
        check=False,
    )


def test_members_that_were_rebuilt_apart_are_one_cluster_beyond_every_old_revision(tools, snapshot, tmp_path):
    urls = {name: f"http://127.0.0.1:{free_port()}" for name in ("m1", "m2", "m3")}
    cluster = ",".join(f"{name}={url}" for name, url in urls.items())
    started = []
    try:
        for name, url in urls.items():
            done = rebuild(tools, tmp_path / name, snapshot, name=name, cluster=cluster, url=url)
            assert done.returncode == 0, done.stderr
            client = f"unix://{tmp_path / name}/c"
            command = [
                tools.path("etcd"), f"--name={name}", f"--data-dir={tmp_path / name}", f"--listen-peer-urls={url}",
                f"--listen-client-urls={client}", "--advertise-client-urls=http://127.0.0.1:1",
                "--initial-cluster-state=existing", f"--initial-advertise-peer-urls={url}",
                f"--initial-cluster={cluster}",
            ]  # fmt: skip
            started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        endpoint = f"unix://{tmp_path / 'm2'}/c"

        def etcdctl(*words):
            return tools.run("etcdctl", f"--endpoints={endpoint}", "--command-timeout=5s", *words)

        def serves():
            with contextlib.suppress(HaplaneError):
                return etcdctl("member", "list")
            return None

        assert wait_until(serves, 120, "the restored cluster serves").count("started") == 3
        assert "v" * 100 in etcdctl("get", "/registry/configmaps/default/c1", "--print-value-only")
        etcdctl("put", "new", "value")
        assert int(etcdctl("get", "new", "-w", "fields").split('"ModRevision" : ')[1].split()[0]) > BUMP + 23
        old = subprocess.Popen(
            [tools.path("etcdctl"), f"--endpoints={endpoint}", "watch", "--rev=20", "--prefix", "/registry"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        with contextlib.suppress(subprocess.TimeoutExpired):
            said, _ = old.communicate(timeout=30)
            assert "required revision has been compacted" in said
            return
        old.kill()
        raise AssertionError("a watch of before went on")
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_data_that_is_ready_is_not_made_again_and_nothing_is_made_of_a_damaged_file(tools, snapshot, tmp_path):
    one = {"name": "m1", "cluster": "m1=http://127.0.0.1:2380", "url": "http://127.0.0.1:2380"}
    damaged, content = tmp_path / "damaged.db", bytearray(snapshot.read_bytes())
    content[len(content) // 2] ^= 1
    for harm in (content, content[:-4096]):
        damaged.write_bytes(harm)
        assert rebuild(tools, tmp_path / "a", damaged, **one).returncode != 0
        assert not (tmp_path / "a" / "ready").exists()
        (tmp_path / "a" / "snapshot.db").unlink()
    assert rebuild(tools, tmp_path / "a", snapshot, **one).returncode == 0
    made = (tmp_path / "a" / "member" / "snap" / "db").stat().st_ino
    (tmp_path / "a" / "snapshot.db").write_bytes(damaged.read_bytes())
    assert rebuild(tools, tmp_path / "a", snapshot, **one).returncode == 0
    assert (tmp_path / "a" / "member" / "snap" / "db").stat().st_ino == made
