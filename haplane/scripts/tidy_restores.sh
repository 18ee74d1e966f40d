# Remove what restores have left on the way; what they keep is called otherwise.
# $keep: a directory in etcd's data directory that is still needed, or nothing

for left in "$ETCD_DATA"/restore-*; do
    if [ "$left" != "$keep" ]; then rm -rf --one-file-system -- "$left"; fi
done
