set -eu
ETCD_DATA='/var/lib/etcd'
set -- 'first' 'second; with '\''quotes'\'''

for kept in "$@"; do rm -rf --one-file-system -- "$kept"; done
sync "$ETCD_DATA"
