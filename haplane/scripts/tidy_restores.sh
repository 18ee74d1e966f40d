# Remove what restores have left on the way; what they keep is called otherwise.
# $data: etcd's data directory
# $keep: a directory there that is still needed, or nothing

for left in "$data"/restore-*; do
    if [ "$left" != "$keep" ]; then rm -rf --one-file-system -- "$left"; fi
done
