# Move the manifests of the scheduler and the controller manager back, if they were moved, and wait until both are
# healthy.
# $deadline_seconds: for how long
# uses: control_plane

control_plane start "$deadline_seconds" kube-controller-manager kube-scheduler
