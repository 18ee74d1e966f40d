set -eu

systemctl mask --runtime --quiet haproxy
systemctl kill --kill-whom=all --signal=KILL haproxy
