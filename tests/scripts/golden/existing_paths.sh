set -eu
set -- 'first' 'second; with '\''quotes'\'''

for path in "$@"; do
    test ! -e "$path" || echo "$path"
done
