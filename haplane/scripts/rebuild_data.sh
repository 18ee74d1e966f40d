# Make a member's new data from a snapshot, beside the old data: nothing that runs is touched. etcdutl checks the hash
# at its end; what is synced is the new data alone, not the gigabytes that it was made from.
# $staging: the directory with snapshot.db
# $bump: by how much revisions are raised, the same on every member
# $name: the member's
# $cluster: every member, NAME=URL with commas between
# $token: of the new cluster
# $url: the member's peer URL
# uses: as_etcd

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
