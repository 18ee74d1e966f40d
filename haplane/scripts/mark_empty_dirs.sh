# Leave a word in the empty directories of pods on this node: each has one on disk and one in memory.
# $word: what
# $@: the pods' uids

for uid; do
    for name in disk memory; do
        printf '%s\n' "$word" >"$KUBELET_PODS/$uid/volumes/kubernetes.io~empty-dir/$name/haplane-drill"
    done
done
