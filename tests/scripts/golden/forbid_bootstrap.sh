set -eu
ETCD_BOOTSTRAPPED='/etc/etcd/bootstrapped'
ETCD_BOOTSTRAP_DROP_IN='/run/systemd/system/etcd.service.d/haplane-bootstrap.conf'

rm -f "$ETCD_BOOTSTRAP_DROP_IN"
systemctl daemon-reload
date --utc --iso-8601=seconds > "$ETCD_BOOTSTRAPPED"
