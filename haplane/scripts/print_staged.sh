# Write a file below etcd's data directory to standard output.
# $file: which
# uses: as_etcd

as_etcd cat -- "$file"
