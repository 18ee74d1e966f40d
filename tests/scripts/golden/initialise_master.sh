set -eu
APISERVER_MANIFEST='/etc/kubernetes/manifests/kube-apiserver.yaml'
CONTROLLER_MANAGER_MANIFEST='/etc/kubernetes/manifests/kube-controller-manager.yaml'
DEADLINE_MARK='deadline passed:'
KUBEADM_CONFIG_YAML='/etc/kubernetes/haplane/kubeadm.yaml'
KUBELET_CONFIG_YAML='/var/lib/kubelet/config.yaml'
SCHEDULER_MANIFEST='/etc/kubernetes/manifests/kube-scheduler.yaml'
note_program='the note_program'
patience='the patience'
port='the port'
request_apiserver='the request_apiserver'
skipped='the skipped'

note() {
    python3 -I -c "$note_program" "$@"
}

local_apiserver() {
    python3 -I -c "$request_apiserver" "$port" "$1" "$2"
}

# apiserver_answers SECONDS: whether it answers at all, an error too.
apiserver_answers() {
    local_apiserver /livez "$1" || test $? -eq 22
}

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

# On a slow machine kubeadm gives an API server up that is still starting, or is slow to make its first administrator.
# While it answers, it gets as long again, unless that would end after the operation's timeout.
attempts=4 deadline=$(($(date +%s) + 260))
until kubeadm init --config "$KUBEADM_CONFIG_YAML" --skip-phases="$skipped"; do
    attempts=$((attempts - 1))
    test "$attempts" -gt 0
    test "$(date +%s)" -lt "$deadline"
    wait_for "$patience" "the API server answers" apiserver_answers 20 2>/dev/null
    case $skipped in *,preflight) ;; *) skipped=$skipped,preflight ;; esac
done
note "$APISERVER_MANIFEST" "$CONTROLLER_MANAGER_MANIFEST" "$SCHEDULER_MANIFEST" "$KUBELET_CONFIG_YAML"
