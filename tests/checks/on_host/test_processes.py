"""What processes of the control plane were given."""

import http.server
import os
import subprocess
import threading
import time

import pytest

from haplane.checks.on_host import processes
from haplane.facts.on_host.network import listeners


def test_what_a_process_was_given(tmp_path):
    policy = tmp_path / "policy"
    policy.write_text("rules")
    words = ["/bin/sh", "-c", "read line", "x", "--audit_policy-file=/nowhere", "--audit-policy-file", str(policy)]
    given = {"ETCD_AUTO_TLS": "1", "SECRET": "x"}
    with subprocess.Popen(words, env=given, stdin=subprocess.PIPE) as process:
        time.sleep(0.2)
        assert processes.words_of(process.pid) == words
        assert processes.environment(process.pid, ["ETCD_AUTO_TLS", "ETCD_X"]) == {"ETCD_AUTO_TLS": "1"}
        assert processes.given_file(process.pid, "audit-policy-file") == "rules"
        assert processes.given_file(process.pid, "encryption-provider-config") is None
        process.communicate(b"\n")


@pytest.mark.parametrize(("address", "serves", "told"), [("0.0.0.0", True, True), ("0.0.0.0", False, False)])
def test_metrics_that_others_can_read(address, serves, told):
    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"# HELP x\n" if serves else b'{"status": "ok"}')

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer((address, 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sockets = listeners()
        place = f"{address}:{server.server_port}"
        assert processes.open_metrics(sockets, [os.getpid()]) == ([place] if told else [])
        assert processes.open_metrics(sockets, [1]) == []
        assert (
            processes.open_metrics(
                [(place.replace(address, "127.0.0.1"), users) for place, users in sockets], [os.getpid()]
            )
            == []
        )
        server.shutdown()
