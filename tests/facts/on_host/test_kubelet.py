"""The kubelet and the API server of a host, by real sockets and files."""

import http.server
import threading

import pytest
from observing import observe

from haplane.facts.on_host import kubelet

CONFIG = "clusters:\n- cluster:\n    server: https://127.0.0.1:1\n"
LOG = """2026-11-29T10:00:00.1Z stderr F I1129 10:00:00.100000       1 options.go:237] external host was not specified
2026-11-29T10:00:00.2Z stderr F E1129 10:00:00.200000       1 run.go:72] "command failed" err="bind: in use"
2026-11-29T10:00:00.3Z stderr F I1129 10:00:00.300000       1 server.go:1] bye
"""


@pytest.fixture
def health(request):
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(request.param)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("health", "why"), [(200, ""), (500, "/healthz: HTTP 500")], indirect=["health"])
def test_a_kubelets_own_health(health, why):
    assert kubelet.why_unhealthy(health) == why


def test_a_kubelet_that_does_not_listen_and_reaches_no_server(tmp_path):
    config = tmp_path / "kubelet.conf"
    config.write_text(CONFIG)
    found = observe(moved={'"/etc/kubernetes/kubelet.conf"\nKUBELET': f'"{config}"\nKUBELET', "10248": "1"}).kubelet
    assert "Connection refused" in found.unhealthy
    assert found.unserved.startswith("https://127.0.0.1:1: ")


def test_a_host_that_is_no_node_has_none():
    assert observe().kubelet.unhealthy == ""


def test_the_last_error_of_a_container_is_read_from_the_newest_log(tmp_path, monkeypatch):
    monkeypatch.setattr(kubelet, "POD_LOGS", str(tmp_path))
    directory = tmp_path / "kube-system_kube-apiserver-m1_0123" / "kube-apiserver"
    assert kubelet.last_error_of("kube-apiserver") == ""
    directory.mkdir(parents=True)
    (directory / "7.log").write_text("x" * 70_000 + "\n" + LOG)
    assert kubelet.last_error_of("kube-apiserver") == '"command failed" err="bind: in use"'
