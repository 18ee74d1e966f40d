#!/bin/bash
# What `haplane up` is compared with: the bare script a careful administrator would write, with kubeadm's usual order
# (init, then one join after the other). It pushes plain files, as such a script would, from a tree made beforehand.
#
#   KEY             the SSH key of the hosts
#   TREE            what is unpacked at / of every master: binaries, units, /opt/images/*.tar
#   FLANNEL         flannel's manifest
#   WORK            a private directory for sockets and logs
#   NETWORK         the first three octets of the hosts' network
#   VERSION, PAUSE  Kubernetes' version and the pause image
set -e
: "${KEY:?}" "${TREE:?}" "${FLANNEL:?}" "${WORK:?}" "${NETWORK:?}" "${VERSION:?}" "${PAUSE:?}"
S="ssh -i $KEY -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
S="$S -o ControlMaster=auto -o ControlPath=$WORK/%h -o ControlPersist=60"
M="m1 m2 m3"
declare -A IP=([lb1]=$NETWORK.11 [lb2]=$NETWORK.12 [m1]=$NETWORK.21 [m2]=$NETWORK.22 [m3]=$NETWORK.23)
VIP=$NETWORK.10
IGNORED=SystemVerification,FileContent--proc-sys-net-bridge-bridge-nf-call-iptables,Swap,NumCPU
on() { local h=$1; shift; $S "root@${IP[$h]}" "$@"; }
T0=$(date +%s.%N)
lap() { printf '%-28s %6.1f\n' "$1" "$(echo "$(date +%s.%N)-$T0" | bc)"; }

balancer() {
  local h=$1 peer=$2
  on "$h" 'sh -e' <<E
cat > /etc/haproxy/haproxy.cfg <<F
global
  maxconn 4096
defaults
  mode tcp
  timeout connect 2s
  timeout client 10m
  timeout server 10m
frontend api
  bind *:6443
  default_backend m
backend m
  option httpchk GET /readyz
  http-check expect status 200
  default-server check check-ssl verify none inter 1s fall 2 rise 1
  server m1 ${IP[m1]}:6443
  server m2 ${IP[m2]}:6443
  server m3 ${IP[m3]}:6443
F
cat > /etc/keepalived/keepalived.conf <<F
vrrp_instance api {
  state BACKUP
  interface eth0
  virtual_router_id 51
  priority 100
  advert_int 1
  unicast_src_ip ${IP[$h]}
  unicast_peer { ${IP[$peer]} }
  virtual_ipaddress { $VIP/24 }
}
F
systemctl restart haproxy keepalived
systemctl enable -q haproxy keepalived
E
}
balancer lb1 lb2 &
balancer lb2 lb1 &

prep() {
  local h=$1
  tar -C "$TREE" -cf - . | on "$h" 'tar -C / --no-same-owner --no-overwrite-dir -xf - && mkdir -p /etc/containerd /etc/cni/net.d && cat > /etc/containerd/config.toml <<E
version = 3
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "'"$PAUSE"'"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
E
cat > /etc/cni/net.d/10-flannel.conflist <<E
{"name":"cbr0","cniVersion":"0.3.1","plugins":[{"type":"flannel","delegate":{"hairpinMode":true,"isDefaultGateway":true}},{"type":"portmap","capabilities":{"portMappings":true}}]}
E
sysctl -qw net.ipv4.ip_forward=1
systemctl daemon-reload; systemctl enable -q --now containerd; for f in /opt/images/*.tar; do ctr -n k8s.io images import --local $f >/dev/null 2>&1 & done; wait; systemctl enable -q kubelet'
}
for h in $M; do prep "$h" & done
wait
lap prepared

cat > "$WORK/init.yaml" <<E
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
bootstrapTokens: [{token: "abcdef.0123456789abcdef"}]
certificateKey: "$(printf '%064d' 1)"
localAPIEndpoint: {advertiseAddress: ${IP[m1]}}
nodeRegistration: {criSocket: "unix:///run/containerd/containerd.sock", ignorePreflightErrors: [$IGNORED]}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v$VERSION
controlPlaneEndpoint: "$VIP:6443"
networking: {podSubnet: 10.244.0.0/16}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: cgroupfs
failCgroupV1: false
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
conntrack: {maxPerCore: 0, min: 0}
E
on m1 'cat > /root/init.yaml' < "$WORK/init.yaml"
on m1 'kubeadm init --upload-certs --config /root/init.yaml' > "$WORK/init.log" 2>&1 || { tail -30 "$WORK/init.log"; exit 1; }
lap init
H=$(on m1 "openssl x509 -pubkey -in /etc/kubernetes/pki/ca.crt 2>/dev/null | openssl pkey -pubin -outform der | sha256sum | cut -d' ' -f1")
for h in m2 m3; do
  on $h "kubeadm join $VIP:6443 --control-plane --apiserver-advertise-address ${IP[$h]} --token abcdef.0123456789abcdef --discovery-token-ca-cert-hash sha256:$H --certificate-key $(printf '%064d' 1) --ignore-preflight-errors=$IGNORED" > "$WORK/join-$h.log" 2>&1 || { tail -30 "$WORK/join-$h.log"; exit 1; }
  lap join-$h
done
on m1 'cat > /root/flannel.yaml; kubectl --kubeconfig /etc/kubernetes/admin.conf apply -f /root/flannel.yaml >/dev/null' < "$FLANNEL"
on m1 'kubectl --kubeconfig /etc/kubernetes/admin.conf wait --for=condition=Ready node --all --timeout=120s >/dev/null'
lap nodes-ready
