"""Runs on a node: fails unless its kubelet serves with the certificate in the file that is named as the argument."""

import socket
import ssl
import sys

socket.setdefaulttimeout(2)
served = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", 10250)))
with open(sys.argv[1], encoding="ascii") as file:
    wanted = ssl.PEM_cert_to_DER_cert(file.read())
if served != wanted:
    sys.exit("it serves another certificate")
