# serves_certificate: this host's kubelet serves with the certificate on the disk.

serves_certificate() {
    python3 -I -c '
import socket, ssl, sys
socket.setdefaulttimeout(2)
served = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", 10250)))
if served != ssl.PEM_cert_to_DER_cert(open(sys.argv[1]).read()):
    sys.exit("it serves another certificate")' "$KUBELET_SERVING_CRT"
}
