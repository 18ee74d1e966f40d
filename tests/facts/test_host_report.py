import base64
import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import samples
from fake_hosts import fact
from pyinfra.api.exceptions import FactProcessError

from haplane.desired.files import kubeadm_configuration
from haplane.desired.hosts import lasting_settings, request_for
from haplane.domain.observed import HostReport, parse_report
from haplane.facts import host_report
from haplane.facts.files import LOOK as LOOK_AT_FILES
from haplane.facts.files import FileStates
from haplane.facts.host_report import HostReportFact
from haplane.facts.paths import ExistingPaths
from haplane.facts.units import LOOK as LOOK_AT_UNIT
from haplane.facts.units import UnitState
from haplane.pki import paths

OBSERVER = Path(host_report.__file__).parent / "on_host" / "observe.py"
PEM = samples.identity().etcd.certificate.decode()
KEY = samples.identity().etcd.private_key.decode()
REQUEST = request_for(samples.inventory(), samples.manifest())
SERVER = f"{paths.ETCD_PKI}/server"
CONTENT_SHA256 = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"


def observe(commands="/sbin", moved=None, **changes):
    """The observer as a host runs it: a plain Python, isolated from this project.

    ``commands``: a directory that is looked in first; ``moved``: paths of the host -> where the test has them.
    """
    text = OBSERVER.read_text()
    for path, place in (moved or {}).items():
        assert path in text
        text = text.replace(path, str(place))
    argv = ["/usr/bin/env", "-i", f"PATH={commands}:/usr/sbin:/usr/bin:/sbin:/bin", sys.executable, "-I", "-S", "-c"]
    done = subprocess.run(
        [*argv, text, json.dumps(REQUEST | changes)],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    return parse_report("here", done.stdout)


@pytest.mark.parametrize("dns_domain", ["cluster.local", "null"])
def test_what_a_cluster_keeps_is_read_from_the_configuration_it_was_made_with(tmp_path, dns_domain):
    inventory = samples.inventory(apiserver_port=7443, dns_domain=dns_domain)
    config = tmp_path / "kubeadm.yaml"
    assert observe(kubeadm_config=str(config)).settings == {}
    config.write_text(kubeadm_configuration(inventory, inventory.masters[0]))
    master = inventory.masters[0]
    mine = {"name": master.name, "address": str(master.address)}
    assert observe(kubeadm_config=str(config)).settings == lasting_settings(inventory) | mine


def test_a_machine_with_nothing_of_haplane_can_be_observed(tmp_path):
    missing = str(tmp_path / "missing")
    present = tmp_path / "file"
    present.write_text("content")
    present.chmod(0o640)
    report = observe(files=[missing, str(present), str(tmp_path)], bundle=[missing, str(present)], certificates=[])
    assert report.machine.user_id == os.geteuid()
    assert report.machine.memory_bytes > 0
    assert report.finished_at >= report.started_at
    assert report.interface_of("127.0.0.1") == "lo"
    assert set(report.files) == set(report.bundle) == {str(present)}
    assert (report.files[str(present)].mode, report.files[str(present)].sha256) == (
        0o640,
        report.bundle[str(present)],
    )
    assert abs(report.files[str(present)].changed_at - report.started_at) < 60


def test_what_the_snapshot_agent_left_is_told_and_damage_hides_nothing_else(tmp_path):
    kept, half = tmp_path / "kept", tmp_path / "kept" / "20260701T120000Z-m2-r8"
    for name in ("20260701T110000Z-m2-r7", half.name):
        (kept / name).mkdir(parents=True)
    (kept / "20260701T110000Z-m2-r7" / "manifest.sig").write_bytes(b"signature")
    (tmp_path / "agent").symlink_to("agent-1234")
    state = {"last_good": None, "last_error": {"at": None, "message": "the bucket is gone"}, "skipped": 2}
    (tmp_path / "state").write_text(json.dumps(state))
    (tmp_path / "sealed").write_text('{"fingerprint": ')
    moved = {
        "/opt/haplane/agent": tmp_path / "agent",
        "/var/lib/haplane/snapshot-state.json": tmp_path / "state",
        "/etc/haplane/sealed-keys.json": tmp_path / "sealed",
    }
    told = observe(moved=moved, snapshot_directory=str(kept))
    assert "snapshots" not in told.failed
    assert (told.snapshots.agent, told.snapshots.local, told.snapshots.sealed) == ("agent-1234", 1, None)
    assert (told.snapshots.state.last_error.message, told.snapshots.state.skipped) == ("the bucket is gone", 2)
    assert observe(snapshot_directory=str(tmp_path / "missing")).snapshots.local == 0


def varint(number):
    low, high = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(high) if high else bytes([low])


def logged(kind, data=b""):
    """A record as etcd's log has it."""
    record = b"\x08" + varint(kind) + b"\x10\x07" + (b"\x1a" + varint(len(data)) + data if data else b"")
    padding = -len(record) % 8
    length = len(record) | (0x80 | padding) << 56 if padding else len(record)
    return length.to_bytes(8, "little") + record + bytes(padding)


@pytest.mark.parametrize(
    ("newest", "cluster"),
    [
        (logged(4) + logged(1, b"\x08\x05\x10" + varint(2**64 - 3)) + bytes(64), 2**64 - 3),
        (logged(4) + logged(2, b"\x08\x05"), None),
        (logged(4)[:12], None),
        (b"", None),
    ],
)
def test_whose_data_is_on_the_disk_is_told_also_while_etcd_is_down(tmp_path, newest, cluster):
    (tmp_path / "0000000000000000-0000000000000000.wal").write_bytes(b"older")
    (tmp_path / "0000000000000001-0000000000000042.wal").write_bytes(newest)
    assert observe(moved={"/var/lib/etcd/member/wal": tmp_path}).etcd.data_cluster_id == cluster


@pytest.mark.parametrize(("text", "made"), [("[]", {}), ('{"/a": "x"}', {}), ("{", {}), (None, {})])
def test_a_note_of_what_kubeadm_made_that_cannot_be_read_is_none(tmp_path, text, made):
    note = tmp_path / "made.json"
    if text is not None:
        note.write_text(text)
    assert observe(moved={"/var/lib/haplane/made.json": note}).made == made


def test_what_kubeadm_made_is_noted_beside_what_was_noted_before(tmp_path):
    note, file = tmp_path / "state" / "made.json", tmp_path / "file"
    script = (Path(host_report.__file__).parents[1] / "operations/on_host/note.py").read_text()
    script = script.replace("/var/lib/haplane/made.json", str(note))
    file.write_text("content")
    for path in (file, tmp_path / "absent", SERVER, sys.executable):
        subprocess.run([sys.executable, "-I", "-S", "-c", script, str(path)], check=True)
    made = observe(moved={"/var/lib/haplane/made.json": note}).made
    assert made[str(file)] == CONTENT_SHA256
    assert set(made) >= {str(file), sys.executable}


def test_certificates_are_found_by_pattern(tmp_path):
    (tmp_path / "a.crt").write_text(PEM)
    (tmp_path / "a.key").write_text(KEY)
    assert observe(certificates=[f"{tmp_path}/*.crt"]).certificates == {f"{tmp_path}/a.crt": PEM}


def test_of_files_with_keys_only_certificates_are_told(tmp_path):
    (tmp_path / "kubelet.pem").write_text(PEM + KEY)
    embedded = {name: base64.b64encode(text.encode()).decode() for name, text in (("certificate", PEM), ("key", KEY))}
    lines = [f"    client-{name}-data: {data}\n" for name, data in embedded.items()]
    (tmp_path / "admin.conf").write_text("users:\n- user:\n" + "".join(lines))
    told = observe(certificates=[f"{tmp_path}/*"]).certificates
    assert told == {f"{tmp_path}/kubelet.pem": PEM, f"{tmp_path}/admin.conf": PEM}


@pytest.fixture
def command(tmp_path):
    """Makes a command that prints this, in ``tmp_path/bin``."""

    def make(name: str, prints: str) -> None:
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "printed").mkdir(exist_ok=True)
        (tmp_path / "printed" / name).write_text(prints)
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\ncat {tmp_path}/printed/{name}\n")
        program.chmod(0o755)

    return make


def test_a_tool_that_prints_garbage_empties_its_own_answer_only(tmp_path, command):
    for name in ("ip", "ss", "systemctl"):
        command(name, "LISTEN {\n\nLoadState=loaded\nStateChangeTimestampMonotonic=never\n")
    report = observe(commands=tmp_path / "bin")
    assert set(report.failed) == {"addresses", "listening", "units", "balancer"}
    assert (report.addresses, report.listening, report.units, report.balancer.servers) == ({}, {}, {}, None)
    assert report.machine.memory_bytes > 0


def test_whichever_probe_fails_there_is_a_report():
    asked = ("files", "bundle", "certificates", "units", "apiserver_port", "endpoint_address", "kubeadm_config")
    report = observe(moved={'disk_usage("/var/lib")': 'disk_usage("/missing")'}, **dict.fromkeys(asked))
    assert {"machine", "files", "bundle", "certificates", "units", "settings"} <= set(report.failed)
    assert report.machine.architecture == ""


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"FILE": 1}', '{"FILE": {"seen": SEEN}}', '{"FILE": {"seen": SEEN, "sha256": "x"}}']
)
def test_a_stamp_that_cannot_be_read_has_its_file_hashed(tmp_path, text):
    file, stamps = tmp_path / "file", tmp_path / "stamps.json"
    file.write_text("content")
    status = file.stat()
    seen = json.dumps([status.st_size, status.st_mtime_ns, status.st_ino])
    stamps.write_text(text.replace("FILE", str(file)).replace("SEEN", seen))
    report = observe(moved={"/var/lib/haplane/stamps.json": stamps}, bundle=[str(file)])
    assert report.bundle == {str(file): CONTENT_SHA256}
    assert report.failed == {}


def test_a_stamp_of_the_file_as_it_is_spares_hashing_it(tmp_path):
    file, stamps = tmp_path / "file", tmp_path / "stamps.json"
    file.write_text("content")
    status = file.stat()
    seen = [status.st_size, status.st_mtime_ns, status.st_ino]
    stamps.write_text(json.dumps({str(file): {"seen": seen, "sha256": samples.SHA256}}))
    assert observe(moved={"/var/lib/haplane/stamps.json": stamps}, bundle=[str(file)]).bundle == {
        str(file): samples.SHA256
    }


def test_a_kubeconfig_with_garbage_hides_no_other_certificate(tmp_path):
    (tmp_path / "a.conf").write_text("client-certificate-data: A\n")
    (tmp_path / "b.crt").write_text(PEM)
    report = observe(certificates=[f"{tmp_path}/*"])
    assert report.certificates == {f"{tmp_path}/a.conf": "", f"{tmp_path}/b.crt": PEM}


@pytest.mark.parametrize(("path", "has_data"), [("member/snap", False), ("member/wal", True)])
def test_data_is_what_etcds_unit_asks_for(tmp_path, path, has_data):
    (tmp_path / path).mkdir(parents=True)
    assert observe(moved={"/var/lib/etcd/": f"{tmp_path}/"}).etcd.has_data is has_data


@pytest.fixture
def answering(tmp_path):
    """Starts an HTTPS server that answers every request with this code, or each path with this; gives its port."""
    leaf = samples.leaves(samples.host("m1", 21))
    (tmp_path / "server.pem").write_bytes(b"".join(leaf[path] for path in (SERVER + ".crt", SERVER + ".key")))
    servers = []

    def start(code: int, told: dict[str, object] | None = None) -> int:
        class Answer(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                known = self.path in (told or {})
                text = json.dumps(told[self.path]).encode() if known else b""
                self.send_response(200 if known else code)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
        servers.append(server)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "server.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server.server_address[1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def told(tmp_path, answering):
    """The cluster as the observer has it from an API server that tells this by path, and else answers with a code."""
    leaf = samples.leaves(samples.host("m1", 21))
    held = {
        "certificate-authority": PEM.encode(),
        "client-certificate": leaf[SERVER + ".crt"],
        "client-key": leaf[SERVER + ".key"],
    }
    config = tmp_path / "admin.conf"
    config.write_text("".join(f"    {name}-data: {base64.b64encode(text).decode()}\n" for name, text in held.items()))

    def look(answers, code=404):
        moved = {"/etc/kubernetes/admin.conf": config}
        return observe(moved=moved, apiserver_port=answering(code, answers)).kubernetes

    return look


NODES, SYSTEM = "/api/v1/nodes", "/api/v1/namespaces/kube-system"
KUBE_SYSTEM = {"metadata": {"name": "kube-system", "uid": "cluster-1"}}
HAPLANE = {"metadata": {"name": "haplane"}, "data": {"applied": "as this says"}}


def test_an_api_server_tells_its_nodes_and_what_was_applied(told):
    ready = {"type": "Ready", "status": "True"}
    node = {"metadata": {"name": "m1", "uid": "1"}, "spec": {}, "status": {"conditions": [ready]}}
    dns = {"metadata": {"name": "coredns"}, "status": {"readyReplicas": 2}}
    found = told({
        NODES: {"items": [node]},
        SYSTEM: KUBE_SYSTEM,
        f"{SYSTEM}/configmaps/haplane": HAPLANE,
        "/apis/apps/v1/namespaces/kube-system/deployments/coredns": dns,
    })  # fmt: skip
    assert [(node.name, node.ready) for node in found.nodes] == [("m1", True)]
    assert (found.uid, found.objects, found.applied) == ("cluster-1", ("coredns", "haplane"), "as this says")
    assert found.coredns_ready == 2


def test_a_node_without_a_status_is_one_node_and_not_the_end_of_the_report(told):
    odd = {"metadata": {"name": "odd", "uid": "1"}, "spec": {}, "status": {}}
    found = told({NODES: {"items": [odd]}, SYSTEM: KUBE_SYSTEM})
    assert [(node.name, node.ready, node.address) for node in found.nodes] == [("odd", False, "")]
    assert (found.objects, found.applied) == ((), None)


@pytest.mark.parametrize("answers", [{}, {NODES: {"items": []}}, {NODES: "odd", SYSTEM: KUBE_SYSTEM}])
def test_an_api_server_that_tells_only_a_part_tells_nothing(told, answers):
    assert told(answers, code=503) is None


@pytest.mark.parametrize(("code", "ready"), [(200, True), (500, False)])
def test_every_host_asks_the_endpoint(answering, code, ready):
    report = observe(endpoint_address="127.0.0.1", endpoint_port=answering(code))
    assert report.balancer.endpoint_ready is ready


def test_a_report_is_read_from_the_last_line(tmp_path):
    text = json.dumps(samples.document())
    assert isinstance(fact(HostReportFact, ["a login banner", text], request={}), HostReport)


@pytest.mark.parametrize("said", [["not a report"], ["{}"], ["[1, 2]"]])
def test_an_answer_that_cannot_be_read_is_pyinfras_own_error(said):
    """Any other exception would end the run for every host."""
    with pytest.raises(FactProcessError):
        HostReportFact().process(said)


def test_file_states_tells_digest_and_mode_of_what_is_there(tmp_path):
    (tmp_path / "file").write_text("content")
    (tmp_path / "file").chmod(0o600)
    asked = json.dumps([str(tmp_path / "file"), str(tmp_path / "missing")])
    said = subprocess.run(
        [sys.executable, "-I", "-c", LOOK_AT_FILES, asked], capture_output=True, text=True, check=True
    )
    assert FileStates().process(said.stdout.splitlines()) == {str(tmp_path / "file"): [CONTENT_SHA256, 0o600]}


def test_existing_paths_are_quoted_and_read_back(tmp_path):
    (tmp_path / "with space").touch()
    command = ExistingPaths().command(paths=[str(tmp_path / "with space"), str(tmp_path / "missing")])
    said = subprocess.run(["sh", "-c", str(command)], capture_output=True, text=True, check=True).stdout
    assert ExistingPaths().process(said.splitlines()) == [str(tmp_path / "with space")]


@pytest.fixture
def systemctl(tmp_path):
    """A systemctl that says the unit changed its state so many seconds after the start of the machine's clock."""

    def make(since_seconds: float) -> dict[str, str]:
        program = tmp_path / "bin" / "systemctl"
        program.parent.mkdir()
        program.write_text(
            f"#!/bin/sh\necho ActiveState=active\necho StateChangeTimestampMonotonic={int(since_seconds * 1e6)}\n"
        )
        program.chmod(0o755)
        return {"PATH": f"{program.parent}:{os.environ['PATH']}"}

    return make


@pytest.mark.parametrize(("since_uptime", "outdated"), [(-3600, "yes"), (3600, "no")])
def test_a_file_newer_than_the_units_last_start_makes_it_outdated(tmp_path, systemctl, since_uptime, outdated):
    (tmp_path / "unit.conf").touch()
    now = time.monotonic()
    said = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            LOOK_AT_UNIT,
            "x.service",
            str(tmp_path / "unit.conf"),
            str(tmp_path / "missing"),
        ],
        capture_output=True,
        text=True,
        check=True,
        env=systemctl(max(0, now + since_uptime)),
    )
    found = UnitState().process(said.stdout.splitlines())
    assert (found["ActiveState"], found["Outdated"]) == ("active", outdated)


@pytest.fixture
def member(tmp_path):
    """A member with data: its etcdctl and its journal say what a test lets them."""
    (tmp_path / "etcd" / "member" / "wal").mkdir(parents=True)
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "healthcheck-client.crt").touch()
    moved = {"/var/lib/etcd/": f"{tmp_path}/etcd/", "/etc/etcd/pki": tmp_path / "pki"}

    def look(etcdctl="exit 1", journal=()):
        (tmp_path / "said").write_text("\n".join(journal))
        for name, script in (("etcdctl", etcdctl), ("journalctl", f"cat {tmp_path}/said")):
            (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / name).chmod(0o755)
        return observe(commands=tmp_path, moved=moved, etcd_addresses=["10.0.0.21", "10.0.0.22"]).etcd

    return look


READY = '{"level":"info","msg":"ready to serve client requests"}'
DIFFERS = '{"level":"fatal","msg":"discovery failed","error":"8e9e found data inconsistency with peers"}'


@pytest.mark.parametrize(
    ("journal", "complains"),
    [
        ([READY, DIFFERS], True),
        ([DIFFERS, READY], False),
        (["panic: freepages: failed to get all reachable pages (page 7: multiple references)"], True),
        (['{"level":"fatal","msg":"listen tcp 10.0.0.21:2380: bind: address already in use"}'], False),
        ([], False),
    ],
)
def test_a_member_that_does_not_come_up_says_when_its_data_are_why(member, journal, complains):
    assert (member(journal=journal).complaint is not None) is complains


def test_of_members_that_nobody_asked_about_the_others_tell_whether_they_serve(member):
    members = [
        {"ID": number, "peerURLs": [f"https://10.0.0.{number}:2380"], "clientURLs": [f"https://10.0.0.{number}:2379"]}
        for number in (21, 30, 31)
    ]
    found = member(
        f"case \"$*\" in\n*'member list'*) echo '{json.dumps({'members': members})}' ;;\n"
        "*10.0.0.30:2379*get*) echo '{}' ;;\n*) exit 1 ;;\nesac"
    )
    assert found.outsiders == {"1e": True, "1f": False}
