set -eu
disk='the disk'
part='the part'

mount -o loop "$disk" /mnt
[ ! -d "/mnt$part" ] || find "/mnt$part" -mindepth 1 -delete
umount /mnt
