# Before a reboot: the kubelet ends, and manifests that were moved away are where it looks when the host has booted.
# Whatever becomes of the run that reboots it, the host starts its pods by itself.
# uses: control_plane

systemctl stop kubelet.service
control_plane back 0 kube-apiserver kube-controller-manager kube-scheduler
