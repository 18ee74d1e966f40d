set -eu
ETCD_DATA='/var/lib/etcd'
ETCD_USER='etcd'
bump='the bump'
cluster='the cluster'
name='the name'
staging='the staging'
token='the token'
url='the url'

ensure_etcd_user() {
    getent group "$ETCD_USER" >/dev/null || /usr/sbin/groupadd --system "$ETCD_USER"
    getent passwd "$ETCD_USER" >/dev/null || /usr/sbin/useradd --system --gid "$ETCD_USER" --no-create-home \
        --home-dir "$ETCD_DATA" --shell /usr/sbin/nologin --comment "etcd, made by haplane" "$ETCD_USER"
}

own_etcd_data() {
    ensure_etcd_user
    install -d -m 700 -o "$ETCD_USER" -g "$ETCD_USER" "$ETCD_DATA"
    for owned in "$@"; do
        test ! -e "$owned" || chown -R -h "$ETCD_USER:$ETCD_USER" "$owned"
    done
}

# as_etcd WORDS...: run them as the user etcd. It may have put a link wherever root is about to write, move or remove
# something below its data directory; as itself it gets nowhere that it could not get before.
as_etcd() {
    setpriv --reuid="$ETCD_USER" --regid="$ETCD_USER" --clear-groups --inh-caps=-all --no-new-privs -- "$@"
}

umask 077
# shellcheck disable=SC2016 # that shell's own variables
as_etcd sh -euc '
    cd "$1"
    shift
    if [ -e ready ]; then exit 0; fi
    rm -rf data member log
    set -C
    etcdutl snapshot restore snapshot.db --data-dir data --mark-compacted "$@" >log 2>&1 ||
        { tail -n 3 log >&2; exit 1; }
    mv -T data/member member
    find member -exec sync {} +
    touch ready
    sync .
' sh "$staging" --bump-revision "$bump" --name "$name" --initial-cluster "$cluster" --initial-cluster-token "$token" \
    --initial-advertise-peer-urls "$url"
