set -eu
ETCD_BOOTSTRAP_DROP_IN='/run/systemd/system/etcd.service.d/haplane-bootstrap.conf'
ETCD_DATA='/var/lib/etcd'
ETCD_USER='etcd'

ensure_etcd_user() {
    getent group "$ETCD_USER" >/dev/null || /usr/sbin/groupadd --system "$ETCD_USER"
    getent passwd "$ETCD_USER" >/dev/null || /usr/sbin/useradd --system --gid "$ETCD_USER" --no-create-home \
        --home-dir "$ETCD_DATA" --shell /usr/sbin/nologin --comment "etcd, made by haplane" "$ETCD_USER"
}

start_etcd() {
    ensure_etcd_user
    install -d -m 700 "$ETCD_DATA"
    install -d -m 755 "${ETCD_BOOTSTRAP_DROP_IN%/*}"
    printf '%s' "$1" > "$ETCD_BOOTSTRAP_DROP_IN"
    systemctl daemon-reload
    systemctl enable --quiet etcd.service
    systemctl reset-failed etcd.service 2>/dev/null || : # a unit that systemd has not loaded has not failed
    systemctl start --no-block etcd.service
}

start_etcd '[Service]
Environment=FEATURE_GATES=CompactHashCheck=true
'
