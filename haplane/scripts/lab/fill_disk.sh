# Lay a tree of files above what a disk holds.
# $disk: the file
# $tree: the directory

mount -o loop "$disk" /mnt
cp -a "$tree/." /mnt/
umount /mnt
