# own_etcd_data PATH...: etcd's data directory and what is at these paths in it become the user etcd's, as before each
# start of its unit. Links are changed, not followed.
# uses: ensure_etcd_user

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
