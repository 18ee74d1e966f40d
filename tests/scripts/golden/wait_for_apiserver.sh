set -eu
DEADLINE_MARK='deadline passed:'
deadline_seconds='the deadline_seconds'
port='the port'

wait_for() (
    seconds=$1 what=$2 deadline=$(($(date +%s) + $1))
    shift 2
    until output=$("$@" 2>&1); do
        if [ "$(date +%s)" -ge "$deadline" ]; then
            echo "$DEADLINE_MARK not within $seconds s: $what: $(printf '%s' "$output" | tail -n 1)" >&2
            exit 1
        fi
        sleep 0.3
    done
)

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

wait_for "$deadline_seconds" "the API server on this host is ready" local_apiserver /readyz 2
