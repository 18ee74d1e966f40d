# Start this member on its restored data, without waiting: it needs the others. Once without the check of the others'
# data: members that start together wait 7 s for each other before they give it up (etcd's corrupt.go), and all have
# just made their data from one file.
# uses: start_etcd

start_etcd '[Service]
Environment=FEATURE_GATES=CompactHashCheck=true
'
