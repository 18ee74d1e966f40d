# local_apiserver PATH SECONDS: request that path from the API server on this host. Fails with the reason on standard error:
# exit 22 for an answer that is an error, 1 for none.
# $port: the API server's on this host
# $request_apiserver: operations/on_host/request_apiserver.py

local_apiserver() {
    python3 -I -c "$request_apiserver" "$port" "$1" "$2"
}

# apiserver_answers SECONDS: whether it answers at all, an error too.
apiserver_answers() {
    local_apiserver /livez "$1" || test $? -eq 22
}
