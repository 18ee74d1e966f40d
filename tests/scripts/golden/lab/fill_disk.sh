set -eu
disk='the disk'
tree='the tree'

mount -o loop "$disk" /mnt
cp -a "$tree/." /mnt/
umount /mnt
