"""Runs on a master: requests a path from the API server there, whatever certificate that has.

    request_apiserver.py PORT PATH SECONDS

Ends with 22 and the reason for an answer that is an error, with 1 for none.
"""

import ssl
import sys
import urllib.error
import urllib.request

port, path, seconds = sys.argv[1:]
without_proxy = urllib.request.ProxyHandler({})
unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
unverified.check_hostname = False
unverified.verify_mode = ssl.CERT_NONE
try:
    opener = urllib.request.build_opener(without_proxy, urllib.request.HTTPSHandler(context=unverified))
    opener.open(f"https://127.0.0.1:{port}{path}", timeout=float(seconds))
except OSError as error:
    sys.stderr.write(f"{error}\n")
    sys.exit(22 if isinstance(error, urllib.error.HTTPError) else 1)
