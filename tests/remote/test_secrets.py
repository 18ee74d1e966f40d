"""The scripts that look at Secrets at rest and write them anew, with an etcdctl and a kubectl of ours."""

import json
import subprocess
import sys

import pytest

from haplane import host_programs

ETCDCTL = """#!{python}
import base64, json, sys
stored = json.load(open("{stored}"))
words = sys.argv[sys.argv.index("--") + 1 :]
assert "get" in sys.argv and len(words) in (1, 2), sys.argv
found = {{key: value for key, value in stored.items() if key >= words[0] and (len(words) == 1 or key < words[1])}}
encode = lambda text: base64.b64encode(text.encode()).decode()
names_only = "--keys-only" in sys.argv
kvs = [{{"key": encode(key)}} | ({{}} if names_only else {{"value": encode(found[key])}}) for key in found]
print(json.dumps({{"kvs": kvs}} if kvs else {{}}))
"""
KUBECTL = """#!{python}
import json, sys
words = sys.argv[1:]
log = open("{log}", "a")
if "--all-namespaces" in words:
    print("\\n".join(f"kube-system s{{number}}" for number in range(70)) + "\\ndefault only\\nempty gone")
elif "replace" in words:
    items = json.load(sys.stdin)["items"]
    print(len(items), file=log)
    if "s0" in items:
        sys.exit("first line\\nError from server (Conflict): the object has been modified\\n")
elif "--namespace=empty" not in words:
    print(json.dumps({{"items": words[words.index("secrets") + 1 :]}}))
"""


@pytest.fixture
def run(tmp_path):
    """Runs a script with both programs; ``stored`` is what etcd has."""

    def ran(name, *words, stored=None):
        (tmp_path / "stored").write_text(json.dumps(stored or {}))
        for program, text in (("etcdctl", ETCDCTL), ("kubectl", KUBECTL)):
            file = tmp_path / program
            file.write_text(text.format(python=sys.executable, stored=tmp_path / "stored", log=tmp_path / "log"))
            file.chmod(0o755)
        command = [sys.executable, "-c", host_programs.program(*host_programs.parts("remote", name)), *words]
        done = subprocess.run(command, capture_output=True, check=False, env={"PATH": str(tmp_path)})
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ran


def test_what_is_not_under_the_key_is_counted_beyond_one_page(run):
    new = {f"/registry/secrets/a/{number:03}": "k8s:enc:secretbox:v1:new:x" for number in range(250)}
    others = {
        "/registry/secrets/b/old": "k8s:enc:secretbox:v1:old:x",
        "/registry/secrets/b/plain": "k8s\0plain",
        "/registry/secrets/b/similar": "k8s:enc:secretbox:v1:new2:x",
    }
    found = run("secrets_at_rest", "new", stored=new | others)
    assert (found["total"], found["others"], found["some"]) == (253, 3, ["b/old", "b/plain", "b/similar"])
    assert run("secrets_at_rest", "new", stored=new)["others"] == 0
    assert run("secrets_at_rest", "new") == {"total": 0, "others": 0, "some": []}


def test_every_secret_is_written_back_and_a_conflict_ends_nothing(run, tmp_path):
    found = run("rewrite_secrets")
    assert (tmp_path / "log").read_text().split() == ["50", "20", "1"]
    assert "Conflict" in found["failure"]
