# uses: ensure_etcd_user

ensure_etcd_user
