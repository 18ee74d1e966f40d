# From now on this member never starts with an empty disk.

rm -f "$ETCD_BOOTSTRAP_DROP_IN"
systemctl daemon-reload
date --utc --iso-8601=seconds > "$ETCD_BOOTSTRAPPED"
