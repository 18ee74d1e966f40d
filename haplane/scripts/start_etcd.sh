# Start this member so that it forms a new cluster with the others that the drop-in names, or joins them.
# $drop_in: the drop-in of etcd's unit that names the members and holds whether their cluster is new
# uses: start_etcd

start_etcd "$drop_in"
