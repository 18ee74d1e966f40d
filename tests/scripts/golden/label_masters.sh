set -eu
ADMIN_KUBECONFIG='/etc/kubernetes/admin.conf'
CONTROL_PLANE_LABEL='node-role.kubernetes.io/control-plane'
DEADLINE_MARK='deadline passed:'
EXCLUDE_FROM_BALANCERS_LABEL='node.kubernetes.io/exclude-from-external-load-balancers'
MADE_LABEL='haplane.node-restriction.kubernetes.io/made'
labels='the labels'
taint='the taint'
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

label_as_wanted() {
    printf '%s\n' "$1" | while read -r node pairs; do
        # shellcheck disable=SC2086 # labels hold no blanks
        test -z "$node" || api 20 label --overwrite -- node "$node" $pairs
    done
}

# shellcheck disable=SC2046 # names of nodes hold no blanks
persistent_api 0 wait --for=create --timeout=60s $(printf 'node/%s ' "$@") >/dev/null
persistent_api 20 label --overwrite -- node "$@" "$CONTROL_PLANE_LABEL=" "$EXCLUDE_FROM_BALANCERS_LABEL=" "$MADE_LABEL="
label_as_wanted "$labels"
if [ "$taint" = yes ]; then
    persistent_api 20 taint --overwrite -- node "$@" "$CONTROL_PLANE_LABEL=:NoSchedule"
    exit 0
fi
for node in "$@"; do
    output=$(persistent_api 20 taint -- node "$node" "$CONTROL_PLANE_LABEL:NoSchedule-" 2>&1) && continue
    case $output in *"taint "*" not found"*) continue ;; esac # it has no such taint
    echo "$output" >&2
    exit 1
done
