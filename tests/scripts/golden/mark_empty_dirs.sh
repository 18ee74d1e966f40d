set -eu
KUBELET_PODS='/var/lib/kubelet/pods'
word='the word'
set -- 'first' 'second; with '\''quotes'\'''

for uid; do
    for name in disk memory; do
        printf '%s\n' "$word" >"$KUBELET_PODS/$uid/volumes/kubernetes.io~empty-dir/$name/haplane-drill"
    done
done
