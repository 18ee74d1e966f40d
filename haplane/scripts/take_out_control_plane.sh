# Stop the scheduler, the controller manager and the API server as a restart does, and leave them stopped.
# uses: control_plane stop_controllers

trap 'test $? = 0 || start_again' EXIT
stop_controllers
control_plane stop 100 kube-apiserver
