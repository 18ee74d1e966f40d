set -eu
disk='the disk'
layer='the layer'
size='the size'
tree='the tree'

if [ -n "$layer" ]; then
    mount -t tmpfs tmpfs /mnt
    mkdir /mnt/merged
    mount -t overlay overlay -o "lowerdir=$layer:$tree" /mnt/merged
    tree=/mnt/merged
fi
truncate -s "$size" "$disk"
mkfs.ext4 -q -F -L root -d "$tree" "$disk"
