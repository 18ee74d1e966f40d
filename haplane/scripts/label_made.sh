# Label nodes as made by haplane; what else they carry stays.
# $labels: a line for each node that has labels in the inventory: its name, NAME=VALUE ...
# $@: the nodes' names
# uses: persistent_api label_as_wanted

# shellcheck disable=SC2046 # names of nodes hold no blanks
persistent_api 0 wait --for=create --timeout=60s $(printf 'node/%s ' "$@") >/dev/null
persistent_api 20 label --overwrite -- node "$@" "$MADE_LABEL="
label_as_wanted "$labels"
