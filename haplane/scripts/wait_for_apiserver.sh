# $deadline_seconds: for how long
# uses: wait_for local_apiserver

wait_for "$deadline_seconds" "the API server on this host is ready" local_apiserver /readyz 2
