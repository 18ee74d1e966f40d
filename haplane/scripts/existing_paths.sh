# Print those of some paths that exist, a line each.
# $@: the paths

for path in "$@"; do
    test ! -e "$path" || echo "$path"
done
