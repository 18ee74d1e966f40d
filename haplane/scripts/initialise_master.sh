# $config: kubeadm's configuration
# $skipped: phases, with commas between
# uses: note local_apiserver

# On a slow machine kubeadm gives an API server up that is still starting, or is slow to make its first administrator.
# While it answers, it gets as long again.
attempts=4
until kubeadm init --config "$config" --skip-phases="$skipped"; do
    attempts=$((attempts - 1))
    test "$attempts" -gt 0
    local_apiserver /livez 20 2>/dev/null || test $? -eq 22
    case $skipped in *,preflight) ;; *) skipped=$skipped,preflight ;; esac
done
note "$APISERVER_MANIFEST" "$CONTROLLER_MANAGER_MANIFEST" "$SCHEDULER_MANIFEST" "$KUBELET_CONFIG_YAML"
