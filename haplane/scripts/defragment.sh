# Make this member's database as small as what it holds. The member answers nobody meanwhile; etcd writes the new file
# beside the old one, and renames it.
# uses: local_etcdctl

local_etcdctl 1700 defrag
