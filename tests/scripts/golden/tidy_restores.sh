set -eu
ETCD_DATA='/var/lib/etcd'
keep='the keep'

for left in "$ETCD_DATA"/restore-*; do
    if [ "$left" != "$keep" ]; then rm -rf --one-file-system -- "$left"; fi
done
