# Kill the API server, as a crash would. Its kubelet starts it again.

pkill -KILL -x kube-apiserver || { echo "no API server runs"; exit 1; }
