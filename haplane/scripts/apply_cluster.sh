# Apply cluster-wide objects: kubeadm's configuration, the bootstrap rules and the add-ons, and the pod network, whose
# YAML is on standard input. Each step waits for what the next one would otherwise fail on and back off from for 10 s:
# flannel for the nodes' pod networks, CoreDNS for flannel. 10 s at most: more than it saves is not worth waiting, and a
# node may be gone for good; of one that is not there no pod is waited for. The end of a run looks at them all. The
# ConfigMap comes last: it records that all of it was applied, so an interrupted run is completed by the next. kube-proxy
# and flannel read their configuration only when they start: pods that are older than it start anew.
# $patch: a strategic merge patch of CoreDNS's Deployment
# $applied: the fingerprint of all this, kept in the ConfigMap kube-system/haplane
# $proxy: that of kube-proxy's configuration, kept there as well
# $dns: that of what CoreDNS is made from, kept there as well
# $dns_address: where pods ask cluster DNS: a service of that name at another address, which it keeps for life, is no use
# $restart: of "network", "kube-proxy" and "dns", those that somebody else changed: their pods start anew
# $watched: "content" where nobody but haplane changes the pod network's objects, "presence" where others may
# $port: the API servers'
# $token_id: the public half of the bootstrap token that kubeadm's phase cannot do without
# $with_token: operations/on_host/with_token.py
# $recorder: what records the objects that were applied
# $@: node/NAME of those that must have registered, with a pod network, before the pods start
# uses: api persistent_api wait_for bind_kubelet_admin

to_restart() { case " $restart " in *" $1 "*) ;; *) return 1 ;; esac; }
recorded() {
    persistent_api 20 --namespace=kube-system get configmap/haplane --ignore-not-found -o jsonpath="{.data.$1}"
}
exists() { test -n "$(persistent_api 20 --namespace=kube-system get "$1" --ignore-not-found -o name)"; }

# An operator's manifest may define a kind and use it: what the API does not know yet is applied once it is established.
apply_network() {
    deadline=$(($(date +%s) + 120))
    until api 20 apply --server-side --force-conflicts --field-manager=haplane -f "$network" > "$printed" 2>&1; do
        if ! grep -qE "no matches for kind|namespaces .* not found|$broken_off" "$printed"; then
            cat "$printed" >&2
            return 1
        fi
        if [ "$(date +%s)" -ge "$deadline" ]; then
            echo "$DEADLINE_MARK not within 120 s: the pod network's kinds are there: $(tail -n 1 "$printed")" >&2
            return 1
        fi
        definitions=$(grep -o '^customresourcedefinition[^ ]*' "$printed" || test $? = 1)
        # shellcheck disable=SC2086 # one word each
        test -z "$definitions" || persistent_api 0 wait --for=condition=Established --timeout=30s $definitions >&2
        sleep 1
    done
    cat "$printed"
}

apply_proxy() {
    older=$(if exists daemonset/kube-proxy && [ "$(recorded proxy)" != "$proxy" ]; then echo yes; fi)
    kubeadm init phase addon kube-proxy --config "$KUBEADM_CONFIG_YAML"
    if [ -n "$older" ] || to_restart kube-proxy; then
        persistent_api 20 --namespace=kube-system rollout restart daemonset/kube-proxy
    fi
}

start_network() {
    sets=$(persistent_api 20 get -f "$network" \
        -o jsonpath='{range .items[?(@.kind=="DaemonSet")]}{.metadata.namespace}/{.metadata.name} {end}')
    for set in $sets; do
        if to_restart network; then persistent_api 20 --namespace="${set%%/*}" rollout restart daemonset "${set#*/}"; fi
        if [ -z "$missing" ]; then
            persistent_api 0 --namespace="${set%%/*}" rollout status daemonset "${set#*/}" --timeout=10s ||
                echo "$set is not complete yet"
        fi
    done
}

apply_dns() {
    address=$(persistent_api 20 --namespace=kube-system get service/kube-dns --ignore-not-found \
        -o jsonpath='{.spec.clusterIP}')
    case $address in
        '' | "$dns_address") ;;
        *) persistent_api 20 --namespace=kube-system delete service kube-dns --ignore-not-found ;;
    esac
    kubeadm init phase addon coredns --config "$KUBEADM_CONFIG_YAML"
    persistent_api 20 --namespace=kube-system patch deployment coredns --type=strategic --patch "$patch" \
        --field-manager=haplane
}

network=$(mktemp /run/haplane.XXXXXX)
configuration=$(mktemp /run/haplane.XXXXXX)
printed=$(mktemp /run/haplane.XXXXXX)
record=$(mktemp /run/haplane.XXXXXX)
trap 'rm -f "$network" "$configuration" "$printed" "$record"' EXIT
cat > "$network"
python3 -I -c "$with_token" "$token_id" < "$KUBEADM_CONFIG_YAML" > "$configuration"
kubeadm init phase upload-config all --config "$KUBEADM_CONFIG_YAML"
kubeadm init phase bootstrap-token --config "$configuration" --skip-token-print &
bootstrap=$!
(apply_proxy) &
proxy_addon=$!
missing=
persistent_api 0 wait --for=create --timeout=10s "$@" &&
    persistent_api 0 wait --for=jsonpath='{.spec.podCIDR}' --timeout=10s "$@" || missing=yes
apply_network
start_network
if ! exists deployment/coredns || [ "$(recorded dns)" != "$dns" ] || to_restart dns; then apply_dns; fi
wait $bootstrap
wait_for 60 "API servers' right to use kubelets is bound" bind_kubelet_admin
persistent_api 20 --namespace=kube-system delete secret "bootstrap-token-$token_id" --ignore-not-found
wait $proxy_addon
persistent_api 20 get -f "$network" -o json > "$record"
python3 -I -c "$recorder" "$port" "$watched" < "$record" > "$printed"
api 20 --namespace=kube-system create configmap haplane --from-literal=applied="$applied" \
    --from-literal=proxy="$proxy" --from-literal=dns="$dns" --from-file=objects="$printed" \
    --dry-run=client -o json > "$record"
persistent_api 20 apply --server-side --force-conflicts --field-manager=haplane -f "$record"
