# start_etcd DROP_IN: start this member with a drop-in of its unit that lives in /run, so a power cut removes it.
# uses: ensure_etcd_user

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
