# Kill haproxy and keep it down: systemd would restart it before any client had noticed.

systemctl mask --runtime --quiet haproxy
systemctl kill --kill-whom=all --signal=KILL haproxy
