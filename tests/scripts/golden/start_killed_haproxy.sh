set -eu

systemctl unmask --runtime --quiet haproxy
systemctl reset-failed haproxy
systemctl start haproxy
