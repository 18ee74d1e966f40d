# $@: directories with etcd data that are kept beside the member's own

for kept in "$@"; do rm -rf --one-file-system -- "$kept"; done
sync "$ETCD_DATA"
