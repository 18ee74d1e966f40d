# local_apiserver PATH SECONDS: request that path from the API server on this host. Fails with the reason on standard error:
# exit 22 for an answer that is an error, 1 for none.
# $port: the API server's on this host

local_apiserver() {
    python3 -I -c '
import ssl, sys, urllib.error, urllib.request
port, path, seconds = sys.argv[1:]
proxy, tls = urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=ssl._create_unverified_context())
try:
    urllib.request.build_opener(proxy, tls).open(f"https://127.0.0.1:{port}{path}", timeout=float(seconds))
except OSError as error:
    print(error, file=sys.stderr)
    sys.exit(22 if isinstance(error, urllib.error.HTTPError) else 1)
' "$port" "$1" "$2"
}

# apiserver_answers SECONDS: whether it answers at all, an error too.
apiserver_answers() {
    local_apiserver /livez "$1" || test $? -eq 22
}
