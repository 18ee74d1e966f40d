# Make a member's new data from a snapshot, beside the old data: nothing that runs is touched. etcdutl checks the hash
# at its end; what is synced is the new data alone, not the gigabytes that it was made from.
# $staging: the directory with snapshot.db
# $bump: by how much revisions are raised, the same on every member
# $name: the member's
# $cluster: every member, NAME=URL with commas between
# $token: of the new cluster
# $url: the member's peer URL

umask 077
if [ -e "$staging/ready" ]; then exit 0; fi
cd "$staging"
rm -rf data member
etcdutl snapshot restore snapshot.db --data-dir data --bump-revision "$bump" --mark-compacted \
    --name "$name" --initial-cluster "$cluster" --initial-cluster-token "$token" \
    --initial-advertise-peer-urls "$url" >log 2>&1 || { tail -n 3 log >&2; exit 1; }
mv data/member member
find member -exec sync {} +
touch ready
sync .
