# Inside the tree of virtual machines, after finish_base.

systemctl enable systemd-networkd ssh
echo '/dev/vda / ext4 errors=remount-ro 0 1' >/etc/fstab
