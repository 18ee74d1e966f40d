set -eu
KUBELET_PODS='/var/lib/kubelet/pods'
word='the word'
set -- 'first' 'second; with '\''quotes'\'''

for uid; do
    for name in disk memory; do
        file="$KUBELET_PODS/$uid/volumes/kubernetes.io~empty-dir/$name/haplane-drill"
        if test -f "$file" && grep --quiet --line-regexp --fixed-strings -e "$word" "$file"; then
            printf '%s %s\n' "$uid" "$name"
        fi
    done
done
