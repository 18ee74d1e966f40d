set -eu
ETCD_DATA='/var/lib/etcd'
ETCD_USER='etcd'
file='the file'
sha256='the sha256'

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
directory=$(dirname "$file")
own_etcd_data "$directory"
# shellcheck disable=SC2016 # that shell's own variables
as_etcd sh -euc '
    mkdir -p "$1"
    if [ -e "$1/ready" ] || echo "$3  $2" | sha256sum --check --status 2>/dev/null; then exit 0; fi
    rm -f "$2.part"
    set -C # a new file, so nothing that was put there is written to
    cat >"$2.part"
    mv -f -T "$2.part" "$2"
' sh "$directory" "$file" "$sha256"
