# Undo kill_haproxy.sh. May be run again.

systemctl unmask --runtime --quiet haproxy
systemctl reset-failed haproxy
systemctl start haproxy
