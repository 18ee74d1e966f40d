# Restart the kubelet, and wait until it is healthy.
# $is_healthy: operations/on_host/kubelet_is_healthy.py
# uses: wait_for serves_certificate

systemctl restart kubelet.service
wait_for 60 "the kubelet is healthy" python3 -I -c "$is_healthy"
wait_for 30 "the kubelet serves the certificate on the disk" serves_certificate
