# Empty a directory on a disk.
# $disk: the file
# $part: the directory's path on the host

mount -o loop "$disk" /mnt
[ ! -d "/mnt$part" ] || find "/mnt$part" -mindepth 1 -delete
umount /mnt
