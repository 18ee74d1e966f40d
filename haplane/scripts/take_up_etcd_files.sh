# Restart a member that started before files which it reads, unless it reads through quorum: etcd reads its certificates
# again for every connection, but its CAs only when it starts. While it waits for the others, systemd has nothing to start.
# uses: wait_for reads_through_quorum

started=$(systemctl show etcd.service --property=ExecMainStartTimestamp --value --timestamp=unix)
newer=$(find "$ETCD_PKI" "$ETCD_SERVICE" -type f -newermt "$started")
test -z "$newer" || wait_for 20 "this member reads through quorum" reads_through_quorum 2>/dev/null ||
    systemctl restart --no-block etcd.service
