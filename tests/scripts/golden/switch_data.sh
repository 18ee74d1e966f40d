set -eu
data='the data'
previous='the previous'
staging='the staging'

test -e "$staging/ready"
systemctl kill --signal=SIGKILL etcd.service 2>/dev/null || : # it is not running; the next line fails if it cannot stop
systemctl stop etcd.service
if [ -d "$staging/member" ]; then
    if [ -d "$data/member" ]; then install -d -m 700 "$previous"; mv -T "$data/member" "$previous/member"; fi
    mv -T "$staging/member" "$data/member"
    sync "$data"
fi
