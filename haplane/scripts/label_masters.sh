# Label nodes as masters, and taint them unless pods may run there.
# $taint: "yes" for the control plane's taint, anything else for none
# $labels: a line for each node that has labels in the inventory: its name, NAME=VALUE ...
# $@: the nodes' names
# uses: persistent_api label_as_wanted

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
