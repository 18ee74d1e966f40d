# etcd reads its certificates again for every connection. It is restarted only if that does not help.
# uses: wait_for reads_through_quorum

wait_for 20 "this member reads through quorum" reads_through_quorum 2>/dev/null ||
    systemctl restart --no-block etcd.service
