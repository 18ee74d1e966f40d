# Make a disk of a tree of files and the layer above it.
# $disk: the file to make
# $size: for truncate
# $tree: the directory
# $layer: the directory of the layer above, or empty

if [ -n "$layer" ]; then
    mount -t tmpfs tmpfs /mnt
    mkdir /mnt/merged
    mount -t overlay overlay -o "lowerdir=$layer:$tree" /mnt/merged
    tree=/mnt/merged
fi
truncate -s "$size" "$disk"
mkfs.ext4 -q -F -L root -d "$tree" "$disk"
