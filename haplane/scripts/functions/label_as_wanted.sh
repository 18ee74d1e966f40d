# label_as_wanted LINES: label nodes as the inventory has it; their other labels stay. A line is a node's name and its
# labels as NAME=VALUE.
# uses: api

label_as_wanted() {
    printf '%s\n' "$1" | while read -r node pairs; do
        # shellcheck disable=SC2086 # labels hold no blanks
        test -z "$node" || api 20 label --overwrite -- node "$node" $pairs
    done
}
