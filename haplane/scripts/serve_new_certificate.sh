# Wait until the kubelet serves with the certificate on the disk. It reads the files again when they change
# (ReloadKubeletServerCertificateFile, on since 1.31); one that does not is restarted. A worker that joined by hand
# names those files only in its new configuration: restart_kubelet.sh, a later step of the same plan, waits there.
# uses: wait_for serves_certificate

if grep -qx 'serverTLSBootstrap: true' "$KUBELET_CONFIG_YAML"; then
    echo "it serves the certificate that it has requested, until it is configured anew"
    exit 0
fi
wait_for 20 "the kubelet serves its new certificate" serves_certificate 2>/dev/null ||
    systemctl restart kubelet.service
wait_for 60 "the kubelet serves its new certificate" serves_certificate
