# Have the API server on this host read every Secret.
# $port: its port
# uses: api

api 60 --server="https://127.0.0.1:$port" get secrets --all-namespaces --output=name > /dev/null
