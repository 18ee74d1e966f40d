# $skipped: phases, with commas between
# $patience: seconds within which an API server that kubeadm gave up has to answer
# uses: note local_apiserver wait_for

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
