"""A kubelet as API servers meet it: a TLS server with a certificate of its cluster."""

import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from ipaddress import IPv4Address

from haplane.pki.kubelet_certificates import kubelet_serving_files

ADDRESS = IPv4Address("127.0.0.1")


@contextmanager
def kubelet(directory, authority, address=ADDRESS, answer=b""):
    """A server that shows a certificate of that CA for this address, and its port; it has one answer."""
    files = kubelet_serving_files(authority, "w1", address, datetime.now(UTC))
    pair = directory / "pair.pem"
    pair.write_bytes(b"".join(files.values()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    with socket.create_server((str(ADDRESS), 0)) as server:
        thread = threading.Thread(target=serve, args=(server, context, answer), daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(5)


def serve(server, context, answer=b""):
    connection, _ = server.accept()
    with connection, suppress(OSError), context.wrap_socket(connection, server_side=True) as inside:
        if answer:
            inside.recv(4096)
            inside.sendall(b"HTTP/1.1 " + answer + b"\r\nContent-Length: 0\r\n\r\n")
