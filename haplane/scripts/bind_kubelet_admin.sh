# Bind API servers' right to use kubelets.
# uses: wait_for bind_kubelet_admin

wait_for 60 "API servers' right to use kubelets is bound" bind_kubelet_admin
