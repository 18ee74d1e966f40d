#!/bin/bash
# The documented restore of all three masters, as a careful person types it: every step on all hosts at once, each
# step finished before the next. Prints when the API answers through the endpoint again.
# Environment: KEY (ssh key), NETWORK (first three octets), SNAPSHOT (file here), BUMP (revisions).
set -eu
masters="21 22 23"
ssh_options="-i $KEY -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
endpoint=https://$NETWORK.10:6443
stamp=$(date -u +%s)
on() { number=$1; shift; ssh $ssh_options "root@$NETWORK.$number" "$@"; }
each() { # SCRIPT: on every master at once, with its name and address
    pids=
    for number in $masters; do
        on "$number" "name=m$((number - 20)) address=$NETWORK.$number; $1" & pids="$pids $!"
    done
    for pid in $pids; do wait "$pid"; done
}

pids=
for number in $masters; do scp -q $ssh_options "$SNAPSHOT" "root@$NETWORK.$number:/root/restore.db" & pids="$pids $!"; done
for pid in $pids; do wait "$pid"; done

# Stop all API server instances, then etcd.
each 'mkdir -p /root/manifests; mv /etc/kubernetes/manifests/kube-*.yaml /root/manifests/
while pgrep -x kube-apiserver >/dev/null || pgrep -x kube-controller >/dev/null || pgrep -x kube-scheduler >/dev/null
do sleep 0.2; done'
each 'systemctl stop etcd'

# Restore state in all etcd instances.
each "mv /var/lib/etcd/member /var/lib/etcd/old-$stamp
etcdutl snapshot restore /root/restore.db --data-dir /var/lib/etcd/new-$stamp --name \$name \
    --initial-cluster m1=https://$NETWORK.21:2380,m2=https://$NETWORK.22:2380,m3=https://$NETWORK.23:2380 \
    --initial-cluster-token restored-$stamp --initial-advertise-peer-urls https://\$address:2380 \
    --bump-revision $BUMP --mark-compacted >/dev/null 2>&1
mv /var/lib/etcd/new-$stamp/member /var/lib/etcd/member; rm -rf /root/restore.db"
each 'systemctl start etcd
until etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/etcd/pki/ca.crt --command-timeout=2s \
    --cert=/etc/etcd/pki/healthcheck-client.crt --key=/etc/etcd/pki/healthcheck-client.key \
    endpoint health >/dev/null 2>&1; do sleep 0.2; done'

# Restart all API server instances, controllers, schedulers and kubelets.
each 'mv /root/manifests/kube-*.yaml /etc/kubernetes/manifests/; systemctl restart kubelet'
until curl -fsk --max-time 2 "$endpoint/readyz" >/dev/null 2>&1; do sleep 0.2; done
