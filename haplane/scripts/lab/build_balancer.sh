# Make the layer of load balancers above the plain tree.
# $directory: the image's, with root, balancer, work, mount and packages
# $finish: the script that is run inside (finish_balancer)

mount -t overlay overlay -o "lowerdir=$directory/root,upperdir=$directory/balancer,workdir=$directory/work" \
    "$directory/mount"
mkdir "$directory/mount/packages"
mount --bind "$directory/packages" "$directory/mount/packages"
mount -t proc proc "$directory/mount/proc"
DEBIAN_FRONTEND=noninteractive chroot "$directory/mount" /bin/sh -c "$finish"
umount "$directory/mount/proc" "$directory/mount/packages"
rmdir "$directory/mount/packages"
umount "$directory/mount"
