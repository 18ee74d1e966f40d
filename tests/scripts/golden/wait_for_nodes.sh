set -eu
ADMIN_KUBECONFIG='/etc/kubernetes/admin.conf'
DEADLINE_MARK='deadline passed:'
dns='the dns'
set -- 'first' 'second; with '\''quotes'\'''

api() (
    seconds=$1
    shift
    kubectl --kubeconfig="$ADMIN_KUBECONFIG" --request-timeout="${seconds}s" "$@"
)

broken_off='Unable to connect|unexpected EOF|connection re(fused|set)|handshake timeout|etcdserver: |ServiceUnavailable'
broken_off="$broken_off|Handler timeout|unable to return a response in the time|could not find the requested resource"

persistent_api() (
    deadline=$(($(date +%s) + 60))
    until { answer=$(api "$@" 2>&1 >&3); } 3>&1; do
        if ! printf '%s' "$answer" | grep -qE "$broken_off"; then
            printf '%s\n' "$answer" >&2
            exit 1
        fi
        if [ "$(date +%s)" -ge "$deadline" ]; then
            echo "$DEADLINE_MARK not within 60 s: the API returned: $answer" >&2
            exit 1
        fi
        sleep 1
    done
    test -z "$answer" || printf '%s\n' "$answer" >&2
)

# shellcheck disable=SC2046 # names of nodes hold no blanks
persistent_api 0 wait --for=condition=Ready --timeout=90s $(printf 'node/%s ' "$@")
if [ "$dns" = everywhere ]; then
    persistent_api 0 --namespace=kube-system rollout status deployment/coredns --timeout=90s
else
    persistent_api 0 --namespace=kube-system wait --for=condition=Available deployment/coredns --timeout=90s
fi
